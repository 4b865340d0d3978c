"""A corrupted text: what the encoder sees, and what it is to say."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.config import Config
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.replacement import Replace, count_outcomes
from bertsmith.pretraining.selection import Select
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text.similar import SimilarTokens

_STREAM = int.from_bytes(b"corrupt")


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A passage after corruption.

    `targets` are places in ascending order and `labels` the ids that stood there; `spans` are the
    stretches of targets without a gap, end exclusive; `outcomes` says what each target became, a place
    in `OUTCOMES`.
    """

    token_ids: Int[np.ndarray, "tokens"]
    targets: Int[np.ndarray, "targets"]
    labels: Int[np.ndarray, "targets"]
    spans: Int[np.ndarray, "spans 2"]
    outcomes: Int[np.ndarray, "targets"]

    @property
    def counts(self) -> dict[str, int]:
        """How many targets became what (mask, random, same, similar, degraded)."""
        return count_outcomes(self.outcomes)


class Corruption(Config):
    """Which tokens are chosen, and what stands in their place."""

    select: Select = Select()
    replace: Replace = Replace()

    def corrupt(
        self,
        passage: Passage,
        vocabulary: VocabularyFacts,
        rng: np.random.Generator,
        similar: SimilarTokens | None = None,
    ) -> Corrupted:
        """Corrupt one passage; the same generator state gives the same result.

        Raises:
            UserError: no mask token, or no similar words, where the shares ask for them.
        """
        tokens = passage.example.token_ids
        selected = self.select.choose(passage, vocabulary, rng)
        replaced = self.replace.apply(tokens, selected, vocabulary, rng, similar)
        return Corrupted(
            token_ids=replaced.token_ids,
            targets=selected.places,
            labels=tokens[selected.places],
            spans=selected.spans,
            outcomes=replaced.outcomes,
        )


def rng_for(seed: int, epoch: int, row: int) -> np.random.Generator:
    """The generator for one passage in one epoch, independent of every other and of who computes it."""
    return np.random.Generator(np.random.PCG64([_STREAM, seed, epoch, row]))
