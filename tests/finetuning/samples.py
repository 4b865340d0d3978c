"""Small fine-tuning models and examples, without any file."""

from collections.abc import Sequence

import numpy as np
import torch

from bertsmith.batch import Example
from bertsmith.encoder import EncoderConfig, new_encoder
from bertsmith.finetuning import FineTuner, Reading, Task
from bertsmith.losses import LabelFacts

VOCABULARY = 31
LABELS = ("a", "b", "c")


def examples(lengths: Sequence[int], seed: int = 0) -> list[Example]:
    random = np.random.default_rng(seed)
    return [Example(random.integers(5, VOCABULARY, n), np.zeros(n, dtype=np.int64)) for n in lengths]


def readings(lengths: Sequence[int], seed: int = 0) -> list[Reading]:
    """Each text in one sequence."""
    return [Reading((example,)) for example in examples(lengths, seed)]


def tuner(*, seed: int = 0, dropout: float = 0.0, counts: Sequence[int] | None = None, **changes: object) -> FineTuner:
    """Two layers of 12 under a head of three labels."""
    config = EncoderConfig(
        vocab_size=VOCABULARY,
        hidden_size=12,
        num_layers=2,
        num_heads=3,
        intermediate_size=19,
        hidden_dropout=dropout,
        attention_dropout=dropout,
        initializer_range=0.2,
    )
    answers = {"kind": "classification", "labels": LABELS}
    task = Task.model_validate({"answers": answers, "head": {"dropout": dropout}, **changes})
    generator = torch.Generator().manual_seed(seed)
    return FineTuner(
        task, new_encoder(config, seed=seed), facts=LabelFacts.of(task.labels, counts), generator=generator
    )
