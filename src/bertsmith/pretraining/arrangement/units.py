"""The words and entities of a run of tokens, as ranges."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from bertsmith.data.shards import DOCUMENT, ENTITY, INSIDE, WORD, TokenRun

Ranges = Int[np.ndarray, "units 2"]


@dataclass(frozen=True, slots=True)
class Units:
    """Tokens with the ranges of their words and entities; a unit that the cut went through is what is left of it."""

    token_ids: Int[np.ndarray, "tokens"]
    words: Int[np.ndarray, "words 2"]
    entities: Int[np.ndarray, "entities 2"]


def units_of(run: TokenRun) -> Units:
    """Read the ranges from the flags."""
    starts = run.flags & WORD > 0
    starts[:1] = True
    inside = run.flags & INSIDE > 0
    named = run.flags & ENTITY > 0
    named[:1] |= inside[:1]
    return Units(run.token_ids, _ranges(starts, starts), _ranges(named, named | ~inside))


def separated(run: TokenRun, separator: int) -> Units:
    """The same with a separator, of no unit, in front of every document that begins within."""
    units = units_of(run)
    places = np.flatnonzero(run.flags[1:] & DOCUMENT) + 1
    if not len(places):
        return units
    return Units(
        np.insert(units.token_ids, places, separator), _shifted(units.words, places), _shifted(units.entities, places)
    )


def _ranges(starts: Bool[np.ndarray, "tokens"], stops: Bool[np.ndarray, "tokens"]) -> Ranges:
    """From every start to the next stop behind it."""
    first = np.flatnonzero(starts)
    stop = np.append(np.flatnonzero(stops), len(stops))
    return np.stack([first, stop[np.searchsorted(stop, first, side="right")]], axis=1).astype(np.int32)


def _shifted(ranges: Ranges, places: Int[np.ndarray, "places"]) -> Ranges:
    first = ranges[:, 0] + np.searchsorted(places, ranges[:, 0], side="right")
    return np.stack([first, first + ranges[:, 1] - ranges[:, 0]], axis=1).astype(np.int32)
