"""Which tokens of a passage are to be predicted: units × length × budget."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field

from bertsmith.config import Config
from bertsmith.pretraining.lengths import Length, One
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.units import UnitKind, Units, units_of
from bertsmith.pretraining.vocabulary import VocabularyFacts


@dataclass(frozen=True, slots=True)
class Selected:
    """The chosen tokens in ascending order; `units` says for each of them which unit of the passage it is part of."""

    places: Int[np.ndarray, "targets"]
    units: Int[np.ndarray, "targets"]

    @property
    def spans(self) -> Int[np.ndarray, "spans 2"]:
        """Stretches of chosen tokens without a gap: overlapping and adjacent draws are one span."""
        breaks = self.places[1:] != self.places[:-1] + 1
        first, last = np.append(True, breaks)[: len(self.places)], np.append(breaks, True)[: len(self.places)]
        return np.stack([self.places[first], self.places[last] + 1], axis=1)

    def groups(self, each: Literal["token", "unit", "span"]) -> Int[np.ndarray, "targets"]:
        """The number, from 0, of the token, unit or span that each chosen token is part of."""
        if each == "token":
            return np.arange(len(self.places))
        changes = np.diff(self.units) != 0 if each == "unit" else np.diff(self.places) != 1
        return np.cumsum(np.append(False, changes)[: len(self.places)])


class Select(Config):
    """A share of the tokens, chosen as units of a kind in stretches of some length.

    `budget` is how many tokens that is: "rounded" `max(1, round(rate · all tokens))` (BERT, Devlin
    et al. 2019, arXiv 1810.04805 §3.1, and its code), "ceiling" `ceil(rate · tokens that are not
    special)` (SpanBERT's code); never more than `most`. Whole units are kept whole, and a text with
    any unit has at least one selected, even if that one alone exceeds the budget; only Geometric
    cuts its last span.
    """

    rate: float = Field(default=0.15, gt=0, le=1)
    units: UnitKind = "tokens"
    length: Length = One()
    budget: Literal["rounded", "ceiling"] = "rounded"
    most: int | None = Field(default=None, ge=1)
    """Tokens a passage; BERT's published runs have 20 at length 128."""

    def choose(self, passage: Passage, vocabulary: VocabularyFacts, rng: np.random.Generator) -> Selected:
        """Choose tokens of one passage."""
        units = units_of(passage, self.units, vocabulary)
        if not len(units):
            return Selected(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        spans = self.length.place(units, self._tokens(passage), rng)
        places = _covered(spans)
        return Selected(places, _unit_of(places, units))

    def _tokens(self, passage: Passage) -> int:
        if self.budget == "rounded":
            wanted = max(1, round(self.rate * len(passage)))
        else:
            wanted = math.ceil(self.rate * int((passage.words[:, 1] - passage.words[:, 0]).sum()))
        return wanted if self.most is None else min(wanted, self.most)


def _covered(spans: Int[np.ndarray, "spans 2"]) -> Int[np.ndarray, "targets"]:
    """The tokens in any of the spans, ascending."""
    edges = np.bincount(spans[:, 0], minlength=spans.max() + 1) - np.bincount(spans[:, 1], minlength=spans.max() + 1)
    return np.flatnonzero(np.cumsum(edges) > 0)


def _unit_of(places: Int[np.ndarray, "targets"], units: Units) -> Int[np.ndarray, "targets"]:
    return np.searchsorted(units.starts, places, side="right") - 1
