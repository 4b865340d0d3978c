"""How long the selected stretches are, and where they may lie.

A length kind places spans of whole units until a budget of tokens is used up. Spans never cross a
gap between units, so never a special token.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, field_validator

from bertsmith.config import Config
from bertsmith.pretraining.room import Room
from bertsmith.pretraining.units import Units

Spans = Int[np.ndarray, "spans 2"]
"""Ranges of tokens in the order in which they were drawn."""


class One(Config):
    """Single units in random order; one that would exceed the budget is passed over (BERT, whole-word masking)."""

    kind: Literal["one"] = "one"

    def place(self, units: Units, budget: int, rng: np.random.Generator) -> Spans:
        """Spans of one unit each, without overlap."""
        order = rng.permutation(len(units))
        sizes = units.sizes[order]
        left = max(budget, int(sizes.min()))
        if sizes.max() == 1:
            return _spans(units, order[:left])
        chosen = []
        for unit, size in zip(order.tolist(), sizes.tolist(), strict=True):
            if size <= left:
                chosen.append(unit)
                left -= size
                if not left:
                    break
        return _spans(units, np.array(chosen))


class Repeated(Config):
    """Single units drawn with replacement: a unit drawn twice counts once.

    So a little less than the budget is selected, as in ELECTRA's code (Clark et al. 2020,
    arXiv 2003.10555; `pretrain_helpers.mask`).
    """

    kind: Literal["repeated"] = "repeated"

    def place(self, units: Units, budget: int, rng: np.random.Generator) -> Spans:
        """Spans of one unit each, without overlap."""
        drawn = rng.integers(len(units), size=budget)
        kept = np.cumsum(units.sizes[drawn]) <= max(budget, int(units.sizes[drawn[0]]))
        return _spans(units, np.unique(drawn[kept]))


class Ngrams(Config):
    """Stretches of 1, 2, 3 … units with given shares, whole and without overlap.

    MacBERT has .4, .3, .2, .1 (Cui et al. 2020, arXiv 2004.13922 §3.2), ALBERT 1, 1/2, 1/3 (Lan et
    al. 2020, arXiv 1909.11942 §4.1), UniLM .8, .1, .1 (Dong et al. 2019, arXiv 1905.03197 §2.4). A
    length is drawn first and a free place for it afterwards, so that long stretches are not lost
    to collisions; one that exceeds what is left of the budget is shortened, as in ALBERT's code.
    """

    kind: Literal["ngrams"] = "ngrams"
    shares: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)
    """Relative weights of the lengths 1, 2, 3 …"""

    @field_validator("shares")
    @classmethod
    def _weights(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not shares or min(shares) < 0 or sum(shares) <= 0:
            raise ValueError("shares are weights of the lengths 1, 2, 3 …: none negative, at least one above 0")
        return shares

    def place(self, units: Units, budget: int, rng: np.random.Generator) -> Spans:
        """Spans of whole units, without overlap, as many as the budget holds."""
        room = Room(units, max(budget, int(units.sizes.min())))
        spans: list[tuple[int, int]] = []
        chances = np.array(self.shares) / sum(self.shares)
        for wanted in _lengths(chances, rng):
            span = next(filter(None, (room.take(count, rng) for count in range(wanted, 0, -1))), None)
            if span is None:
                break
            spans.append(span)
        return np.array(spans, dtype=np.int64)


class Geometric(Config):
    """Short stretches often, long ones seldom (SpanBERT, Joshi et al. 2020, arXiv 1907.10529 §3.1).

    The chance of length k is `stop * (1 - stop)^(k - 1)`, cut off after `longest` and renormalised.
    A span begins with the word of a token drawn at random; it may run into an earlier one, with
    which it merges, and the last is cut where the budget ends, in the middle of a word if need be.
    """

    kind: Literal["geometric"] = "geometric"
    stop: float = Field(default=0.2, gt=0, le=1)
    """The chance to end after each unit."""
    longest: int = Field(default=10, ge=1)
    """In units."""

    def place(self, units: Units, budget: int, rng: np.random.Generator) -> Spans:
        """Spans as drawn; they may overlap or touch."""
        weights = (1 - self.stop) ** np.arange(self.longest)
        lengths = _lengths(weights / weights.sum(), rng)
        starts, ends, run_ends = units.starts.tolist(), units.ends.tolist(), units.run_ends().tolist()
        unit_of = np.repeat(np.arange(len(units)), units.sizes).tolist()
        places = _tokens(units).tolist()
        covered = bytearray(ends[-1])
        left = min(budget, len(places))
        spans: list[tuple[int, int]] = []
        while left:
            anchor = int(rng.random() * len(places))
            if covered[places[anchor]]:
                continue
            unit = unit_of[anchor]
            start, end = starts[unit], ends[min(unit + next(lengths), run_ends[unit]) - 1]
            while end - start - sum(covered[start:end]) > left:
                end -= 1
            left -= end - start - sum(covered[start:end])
            covered[start:end] = bytes([1]) * (end - start)
            spans.append((start, end))
        return np.array(spans, dtype=np.int64)


class Spaced(Config):
    """One stretch somewhere in every context, as XLNet chooses its targets (Yang et al. 2019, arXiv 1906.08237).

    A span has 1 to `longest` units, all lengths alike; it lies anywhere in a context as many times
    longer as the rate is below 1, and the next context follows. So the budget is met on average.
    """

    kind: Literal["spaced"] = "spaced"
    longest: int = Field(default=5, ge=1)
    """In units."""

    def place(self, units: Units, budget: int, rng: np.random.Generator) -> Spans:
        """The selected units, each as a span of its own."""
        spacing = len(units) / min(budget, len(units))
        chosen: list[int] = []
        begin = 0.0
        for length in _lengths(np.full(self.longest, 1 / self.longest), rng):
            end = begin + length * spacing
            first = int(begin) + int(rng.random() * (int(end) - int(begin) - length + 1))
            chosen.extend(range(first, min(first + length, len(units))))
            begin = end
            if begin >= len(units):
                break
        return _spans(units, np.array(chosen or [int(rng.random() * len(units))]))


Length = Annotated[One | Repeated | Ngrams | Geometric | Spaced, Field(discriminator="kind")]


def _spans(units: Units, chosen: Int[np.ndarray, "spans"]) -> Spans:
    return np.stack([units.starts[chosen], units.ends[chosen]], axis=1)


def _tokens(units: Units) -> Int[np.ndarray, "tokens"]:
    """Every token of the units."""
    sizes = units.sizes
    return np.repeat(units.starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())


def _lengths(shares: Float[np.ndarray, "lengths"], rng: np.random.Generator) -> Iterator[int]:
    """Lengths 1, 2, 3 … with these shares, without end."""
    bounds = np.cumsum(shares)[:-1]
    while True:
        yield from (np.searchsorted(bounds, rng.random(32), side="right") + 1).tolist()
