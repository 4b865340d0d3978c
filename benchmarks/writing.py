"""How fast similar texts are drawn: with memory and shared beginnings, with memory alone, and reading all again.

python benchmarks/writing.py [--shape mini] [--texts 8] [--samples 100] [--target 24]

Random weights of a named shape; the closing [SEP] is never drawn, so every text has `target` tokens. `alike` draws
from the 5 likeliest tokens at temperature 0.1, as a trained model does whose samples share their beginnings.
"""

import argparse
from collections.abc import Callable
from time import process_time

import numpy as np
import torch

from bertsmith.batch import Example, pack
from bertsmith.encoder import SHAPES, EncoderConfig, PrefixLM, new_encoder
from bertsmith.generation import Limits, Sampling, Shifted, Writer, sampled
from bertsmith.generation.sampling import _chances, drawn
from bertsmith.generation.written import Job
from bertsmith.heads import VocabularyHead
from bertsmith.text import train_vocabulary
from recording import surroundings, table

VOCABULARY = 13_685
"""Rows of SimBERT's table."""


def main() -> None:
    """Measure CPU seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="mini")
    parser.add_argument("--texts", type=int, default=8)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--target", type=int, default=24)
    parser.add_argument("--slow-samples", type=int, default=4, help="samples a text of the slow way")
    given = parser.parse_args()
    torch.set_num_threads(1)
    writer = random_writer(given.shape)
    sources = [source(8 + number % 12, number) for number in range(given.texts)]
    limits = Limits(target=given.target)
    rows = []
    for name, sampling in (
        ("memory, every sample different", Sampling(count=given.samples, top_k=None, temperature=5.0)),
        ("memory, alike", Sampling(count=given.samples, top_k=5, temperature=0.1)),
    ):
        seconds = timed(lambda s=sampling: sampled(writer, sources, s, limits, seed=0))
        rows.append(
            {"way": name, "texts": given.texts * given.samples, "ms a text": ms(seconds, given.texts * given.samples)}
        )
    seconds = timed(lambda: slowly(writer, sources, given.slow_samples, given.target))
    number = given.texts * given.slow_samples
    rows.append({"way": "reading all again for each token", "texts": number, "ms a text": ms(seconds, number)})
    print(table(rows))
    print(surroundings())


def random_writer(shape: str) -> Writer:
    """With a token table of SimBERT's size."""
    tokenizer = train_vocabulary(["退货款"], size=100)
    encoder = new_encoder(EncoderConfig(vocab_size=VOCABULARY, **SHAPES[shape]), seed=0).eval()
    writer = Writer(encoder, VocabularyHead(encoder.config), tokenizer, Shifted()).eval()
    writer.never[:] = False
    writer.never[writer.end] = True
    return writer


def source(length: int, seed: int) -> Example:
    """A text of random tokens."""
    ids = np.random.default_rng(seed).integers(10, VOCABULARY, length).astype(np.int32)
    return Example(ids, np.zeros(length, dtype=np.int32))


def slowly(writer: Writer, sources: list[Example], count: int, target: int) -> None:
    """All samples packed, each read from its beginning for every token."""
    sampling = Sampling(count=count)
    texts = [(one, list(chances)) for one in sources for chances in _chances(one, Job(0, 0, count), target, 0)]
    written: list[list[int]] = [[] for _ in texts]
    for step in range(target):
        examples = []
        for (one, _), ids in zip(texts, written, strict=True):
            segments = np.repeat(np.array([0, 1], dtype=np.int32), [len(one), len(ids)])
            examples.append(Example(np.concatenate([one.token_ids, ids]).astype(np.int32), segments))
        batch = pack(examples)
        with torch.inference_mode():
            states = writer.encoder(batch, PrefixLM(), rows=batch.cu_seqlens[1:].long() - 1)[-1]
            scores = writer.head.scores(states, writer.encoder.embeddings.token.weight)
            tokens = drawn(scores, sampling, np.arange(len(texts)), np.array([c[step] for _, c in texts]))
        for ids, token in zip(written, tokens.tolist(), strict=True):
            ids.append(token)


def timed(work: Callable[[], object]) -> float:
    """CPU seconds, the second time."""
    work()
    began = process_time()
    work()
    return process_time() - began


def ms(seconds: float, number: int) -> float:
    """Milliseconds each."""
    return round(1000 * seconds / number, 2)


if __name__ == "__main__":
    main()
