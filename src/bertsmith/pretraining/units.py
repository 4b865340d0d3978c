"""The units a corruption chooses from, as ranges of the tokens of one passage."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.vocabulary import VocabularyFacts

UnitKind = Literal["tokens", "characters", "words", "entities"]
"""Tokens; Chinese characters and whole other words (ERNIE's basic level); words; entities and the words outside."""


@dataclass(frozen=True, slots=True)
class Units:
    """Ranges of tokens, ascending, without overlap: unit `i` is `starts[i] : ends[i]`."""

    starts: Int[np.ndarray, "units"]
    ends: Int[np.ndarray, "units"]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def sizes(self) -> Int[np.ndarray, "units"]:
        """The number of tokens of each unit."""
        return np.asarray(self.ends - self.starts)

    def run_ends(self) -> Int[np.ndarray, "units"]:
        """For each unit, the number of the first later one that does not follow without a gap."""
        last = np.flatnonzero(np.append(self.starts[1:] != self.ends[:-1], len(self) > 0)) + 1
        return last.take(np.searchsorted(last, np.arange(len(self)), side="right"))


def units_of(passage: Passage, kind: UnitKind, vocabulary: VocabularyFacts) -> Units:
    """The units of a passage; one that holds an untouchable token ([UNK] among them) is left out.

    Under "entities" a word that an entity cuts leaves its remaining tokens as a unit.
    """
    tokens = passage.example.token_ids
    inside = _inside(passage.words, len(tokens))
    untouchable = vocabulary.untouchable[tokens]
    if kind == "tokens":
        starts = np.flatnonzero(inside & ~untouchable)
        return Units(starts, starts + 1)
    opens = np.zeros(len(tokens), dtype=bool)
    opens[passage.words[:, 0]] = True
    if kind == "characters":
        han = vocabulary.han[tokens]
        opens |= han
        opens[1:] |= han[:-1]
    elif kind == "entities":
        inside |= _with_entities(opens, passage.entities)
    return _touchable(_ranges(opens, inside), untouchable)


def _inside(ranges: Int[np.ndarray, "ranges 2"], length: int) -> Bool[np.ndarray, "tokens"]:
    """Which tokens lie in a range; ranges may overlap."""
    first, last = np.bincount(ranges[:, 0], minlength=length + 1), np.bincount(ranges[:, 1], minlength=length + 1)
    return np.cumsum(first - last)[:length] > 0


def _with_entities(
    opens: Bool[np.ndarray, "tokens"], entities: Int[np.ndarray, "entities 2"]
) -> Bool[np.ndarray, "tokens"]:
    """Close the words inside entities, in place; returns which tokens those are."""
    inside = _inside(entities, len(opens))
    opens[inside] = False
    edges = entities.ravel()
    opens[edges[edges < len(opens)]] = True
    return inside


def _ranges(opens: Bool[np.ndarray, "tokens"], inside: Bool[np.ndarray, "tokens"]) -> Units:
    """A range begins where one opens inside; it ends before the next, or where the inside ends."""
    starts = np.flatnonzero(opens & inside)
    edges = np.flatnonzero(np.append(opens | ~inside, True))
    return Units(starts, edges[np.searchsorted(edges, starts, side="right")])


def _touchable(units: Units, untouchable: Bool[np.ndarray, "tokens"]) -> Units:
    if not untouchable.any():
        return units
    before = np.concatenate([[0], np.cumsum(untouchable)])
    kept = before[units.starts] == before[units.ends]
    return Units(units.starts[kept], units.ends[kept])
