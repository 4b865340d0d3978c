"""What search needs of others: something that makes vectors of texts, something that judges pairs."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class TextEmbedder(Protocol):
    """Makes vectors of texts; `fingerprint` stands for all that decides them (weights, tokenizer, pooling)."""

    @property
    def fingerprint(self) -> str:
        """Equal for models that give equal vectors."""
        ...

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]:
        """Vectors of texts to be found, float32, in their order.

        Raises:
            UserError: a text cannot be embedded; `where` may say `row N` of the texts given, from 1.
        """
        ...

    def encode_queries(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]:
        """Vectors of what is asked; models that know no difference encode as ever."""
        ...


@runtime_checkable
class PairScorer(Protocol):
    """Judges how well a text answers a query, both read together."""

    def score(self, queries: Sequence[str], texts: Sequence[str]) -> Float[np.ndarray, "pairs"]:
        """A score for each query with the text in the same place; higher is better."""
        ...
