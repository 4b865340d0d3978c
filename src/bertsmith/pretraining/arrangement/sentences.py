"""The sentences of one shard as arrangements see them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.data.shards import ShardSet


@dataclass(frozen=True, slots=True)
class Sentences:
    """Where the sentences and documents of a shard begin.

    `starts` are tokens of the corpus, the end of the shard last; `pieces` the first sentence of
    each document, the number of sentences last; `number` is that of the first document among the
    pieces of all shards.
    """

    starts: Int[np.ndarray, "boundaries"]
    pieces: Int[np.ndarray, "documents"]
    number: int

    def cut(self, longest: int) -> "Sentences":
        """Cut sentences of more than `longest` tokens, so that each fits a text; no token is lost."""
        parts = -(-np.diff(self.starts) // longest)
        firsts = np.cumsum(parts) - parts
        within = np.arange(parts.sum()) - np.repeat(firsts, parts)
        starts = np.repeat(self.starts[:-1], parts) + longest * within
        numbers = np.append(firsts, parts.sum())
        return Sentences(np.append(starts, self.starts[-1]), numbers[self.pieces], self.number)

    def documents(self) -> "Sentences":
        """Every document as a single sentence."""
        return Sentences(self.starts[self.pieces], np.arange(len(self.pieces)), self.number)


def sentences_of(shards: ShardSet, shard: int) -> Sentences:
    """The sentences of one shard."""
    starts = shards.line_starts(shard)
    pieces = shards.document_starts(shard)
    return Sentences(
        np.append(starts, shards.bounds[shard + 1]), np.append(pieces, len(starts)), int(shards.pieces[shard])
    )
