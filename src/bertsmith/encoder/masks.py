"""Which token may attend to which, as predicates on places inside one sequence.

A mask is one function of two places; the dense, packed and compiled forms are proven equal to it.
No mask ever joins two sequences: that is settled by the packing, not by the predicate. Each mask also
says itself in numbers (`levels`), for kernels that are compiled once for all masks.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bertsmith.config import Config


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token stands: its index in the sequence, its segment, and its order under Permutation."""

    index: Int[Tensor, "*#shape"]
    segment: Int[Tensor, "*#shape"]
    order: Int[Tensor, "*#shape"] | None = None


class Levels(NamedTuple):
    """A mask as two numbers a token: a query sees the keys whose `own` level is at most its `highest`, and itself."""

    own: Int[Tensor, "*#shape"]
    highest: Int[Tensor, "*#shape"]


class Bidirectional(Config):
    """Every token sees every token of its sequence (BERT)."""

    kind: Literal["bidirectional"] = "bidirectional"

    def __call__(self, query: Place, key: Place) -> Bool[Tensor, "*shape"]:
        """True everywhere."""
        return (query.index == query.index) & (key.index == key.index)

    def levels(self, place: Place) -> Levels:
        """All on one level."""
        return Levels(torch.zeros_like(place.index), torch.zeros_like(place.index))


class Causal(Config):
    """A token sees itself and what stands to its left."""

    kind: Literal["causal"] = "causal"

    def __call__(self, query: Place, key: Place) -> Bool[Tensor, "*shape"]:
        """True where the key does not come later."""
        return key.index <= query.index

    def levels(self, place: Place) -> Levels:
        """Higher to the right."""
        return Levels(place.index, place.index)


class RightToLeft(Config):
    """A token sees itself and what stands to its right (UniLM, Dong et al. 2019, arXiv 1905.03197 §2.3)."""

    kind: Literal["right_to_left"] = "right_to_left"

    def __call__(self, query: Place, key: Place) -> Bool[Tensor, "*shape"]:
        """True where the key does not come earlier."""
        return key.index >= query.index

    def levels(self, place: Place) -> Levels:
        """Higher to the left."""
        return Levels(-place.index, -place.index)


class PrefixLM(Config):
    """Segment 0 is open to all, segment 1 is read left to right (UniLM §2.3; SimBERT).

    The source (segment 0) never sees the target (segment 1).
    """

    kind: Literal["prefix_lm"] = "prefix_lm"

    def __call__(self, query: Place, key: Place) -> Bool[Tensor, "*shape"]:
        """True where the key is in the prefix, or both are in the target and the key does not come later."""
        return (key.segment == 0) | ((query.segment > 0) & (key.index <= query.index))

    def levels(self, place: Place) -> Levels:
        """The prefix below all, the target higher to the right."""
        level = torch.where(place.segment > 0, place.index, -1)
        return Levels(level, level)


class Permutation(Config):
    """Tokens are predicted in a random order (XLNet, Yang et al. 2019, arXiv 1906.08237 §2.3), in one packed stream.

    `PackedBatch.order` holds, for a content token that is no target, -1; for the content token of
    the target predicted as number r, `2 r + 1`; for its query, an extra [MASK] token at the target's
    position, `2 r`. Content (odd) sees content of no later order; a query (even) sees content of a
    strictly earlier order and itself; nobody else sees a query.
    """

    kind: Literal["permutation"] = "permutation"

    def __call__(self, query: Place, key: Place) -> Bool[Tensor, "*shape"]:
        """True where the key is content of no later order, or query and key are the same token."""
        if query.order is None or key.order is None:
            raise ValueError("the Permutation mask needs PackedBatch.order")
        return ((key.order % 2 == 1) & (key.order <= query.order)) | (key.index == query.index)

    def levels(self, place: Place) -> Levels:
        """Content on the level of its order, queries above everyone."""
        if place.order is None:
            raise ValueError("the Permutation mask needs PackedBatch.order")
        above = torch.iinfo(torch.int32).max
        return Levels(torch.where(place.order % 2 == 1, place.order, above), place.order)


AttentionMask = Bidirectional | Causal | RightToLeft | PrefixLM | Permutation
