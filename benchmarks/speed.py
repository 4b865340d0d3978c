"""Tokens a second of encoders with random weights, beside transformers' BertModel on the same token ids."""

from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np

from choices import Row, Setup
from fresh import in_fresh_process

VOCABULARY = 30522
LENGTHS = {"questions": (19.0, 0.45), "sentences": (23.0, 0.55), "documents": (184.0, 0.60)}
"""Mean length in tokens, and spread of its logarithm."""

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Load:
    """Random texts of realistic lengths, as token ids."""

    kind: str
    count: int

    @property
    def texts(self) -> list[np.ndarray]:
        """The same for everyone who asks."""
        random = np.random.default_rng(0)
        mean, spread = LENGTHS[self.kind]
        lengths = np.clip(random.lognormal(np.log(mean) - spread**2 / 2, spread, self.count), 4, 510).astype(int)
        return [random.integers(1000, VOCABULARY, length) for length in lengths]


def encode(setup: Setup) -> list[Row]:
    """Encoding texts of 6 x 384: tokens a second, median of rounds; the peer is sorted by length, batches of 64."""
    return compared("encoding", setup, counts={"questions": 2048, "sentences": 2048, "documents": 256})


def train(setup: Setup) -> list[Row]:
    """Forward, backward and AdamW of 6 x 384, 32 texts an update: tokens a second; both group by length."""
    return compared("training", setup, counts={"questions": 1024, "sentences": 1024, "documents": 128})


def compared(work: str, setup: Setup, counts: dict[str, int]) -> list[Row]:
    """Every load in both precisions, one process for each system."""
    rows: list[Row] = []
    for kind, count in counts.items():
        load = Load(kind, setup.size(count, quick=64))
        for precision in ("float32", "bfloat16"):
            rates = {
                system: in_fresh_process(rate, work, system, precision, load, setup.size(5, quick=1))
                for system in ("bertsmith", "transformers")
            }
            rows.append(
                {
                    "texts": kind,
                    "precision": precision,
                    **{f"{system} tok/s": round(rate) for system, rate in rates.items()},
                    "ratio": round(rates["bertsmith"] / rates["transformers"], 2),
                }
            )
    return rows


def rate(work: str, system: str, precision: Precision, load: Load, rounds: int) -> float:
    """Tokens a second; runs in a process of its own, the only place where torch is imported."""
    measured: float = getattr(import_module("encoders"), work)(system, precision, load, rounds)
    return measured
