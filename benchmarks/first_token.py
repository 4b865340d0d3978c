"""What it saves to compute the last layer for [CLS] alone: processor time of training and of prediction.

python benchmarks/first_token.py --shape FOLDER [--repeats 6]

FOLDER holds the config.json of an encoder; its weights do not matter here and are random.
"""

import argparse
from pathlib import Path
from time import process_time

import numpy as np
import torch

LENGTHS = ((10, 60, 32), (100, 200, 16))
"""Fewest and most tokens of a text, and how many texts."""


def main() -> None:
    """Both ways in turn, in one process; the ratio of medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--repeats", type=int, default=6, metavar="N")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for shortest, longest, texts in LENGTHS:
        training, predicting = ratios(options.shape, shortest, longest, texts, options.repeats)
        print(f"{texts} texts of {shortest} to {longest} tokens: {training:.2f} training, {predicting:.2f} predicting")


def ratios(shape: Path, shortest: int, longest: int, texts: int, repeats: int) -> tuple[float, float]:
    """Time where only the first token is computed, over time where all are; the first round only warms up."""
    from bertsmith.batch import Example
    from bertsmith.encoder import new_encoder, read_config
    from bertsmith.features.features import FeatureVectors
    from bertsmith.finetuning import FineTuner, LabelledBatch, Reading, Task, pack_readings

    random = np.random.default_rng(0)
    config = read_config(shape)
    task = Task.model_validate({"answers": {"kind": "classification", "labels": ["a", "b"]}})
    model = FineTuner(task, new_encoder(config, seed=0), generator=torch.Generator().manual_seed(0))
    lengths = random.integers(shortest, longest, texts).tolist()
    ids = [random.integers(1, config.vocab_size, length) for length in lengths]
    packed = pack_readings([Reading((Example(each, np.zeros_like(each)),)) for each in ids])
    batch = LabelledBatch(packed, torch.arange(texts) % 2)
    times = np.zeros((repeats + 1, 2, 2))
    for repeat in range(repeats + 1):
        for way, reads_first in enumerate((True, False)):
            FeatureVectors.reads_first_of_one = reads_first  # type: ignore[assignment,method-assign]
            times[repeat, way] = train_and_predict(model, batch)
    training, predicting = (np.median(times[1:, 0], axis=0) / np.median(times[1:, 1], axis=0)).tolist()
    return training, predicting


def train_and_predict(model: torch.nn.Module, batch: object) -> tuple[float, float]:
    """Seconds of the processor for a pass there and back, and for one there."""
    model.train()
    began = process_time()
    model(batch)["loss"].backward()
    model.zero_grad()
    trained = process_time()
    model.eval()
    with torch.inference_mode():
        model(batch)
    return trained - began, process_time() - trained


if __name__ == "__main__":
    main()
