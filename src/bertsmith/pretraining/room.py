"""Where a stretch of whole units still fits."""

import numpy as np
from jaxtyping import Int

from bertsmith.pretraining.units import Units

_TRIES = 8  # places tried at random before all of them are looked at


class Room:
    """The units not yet taken, and the budget that is left, in tokens."""

    def __init__(self, units: Units, budget: int) -> None:
        self._units = units
        self._run_ends = units.run_ends()
        self._starts, self._ends, self._stops = units.starts.tolist(), units.ends.tolist(), self._run_ends.tolist()
        self._taken = bytearray(len(units))
        self._left = budget

    def take(self, count: int, rng: np.random.Generator) -> tuple[int, int] | None:
        """Take `count` units in a row, every place that fits equally likely; None where none does."""
        if self._left < count:
            return None
        first = self._tried(count, rng)
        if first is None:
            places = self._places(count)
            if not len(places):
                return None
            first = int(places[int(rng.random() * len(places))])
        self._taken[first : first + count] = b"\1" * count
        start, end = self._starts[first], self._ends[first + count - 1]
        self._left -= end - start
        return start, end

    def _tried(self, count: int, rng: np.random.Generator) -> int | None:
        total = len(self._starts)
        firsts = (int(draw * total) for draw in rng.random(_TRIES).tolist())
        return next((first for first in firsts if self._fits(first, first + count)), None)

    def _fits(self, first: int, last: int) -> bool:
        return (
            last <= self._stops[first]
            and not any(self._taken[first:last])
            and self._ends[last - 1] - self._starts[first] <= self._left
        )

    def _places(self, count: int) -> Int[np.ndarray, "places"]:
        firsts = np.arange(max(0, len(self._starts) - count + 1))
        taken = np.concatenate([[0], np.cumsum(np.frombuffer(self._taken, dtype=np.uint8))])
        free = taken[firsts + count] == taken[firsts]
        joined = firsts + count <= self._run_ends[firsts]
        affordable = self._units.ends[firsts + count - 1] - self._units.starts[firsts] <= self._left
        return firsts.compress(free & joined & affordable)
