"""SimBERT's items: two similar texts read as source and target, in both orders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.batch import Example
from bertsmith.sentences.items import Slots
from bertsmith.text import Tokenizer

Ids = Int[np.ndarray, "_"]
Noise = Callable[[int, np.random.Generator], Ids]
"""The tokens of a text, by its number, spoiled as a source."""


@dataclass(frozen=True, slots=True)
class SourceAndTarget:
    """Each pair is two sequences beside each other: `[CLS] a [SEP] b [SEP]` and `[CLS] b [SEP] a [SEP]`.

    Su 2020, "SimBERT" (kexue.fm/archives/7427; ZhuiyiTechnology/simbert): the first text is segment 0, the
    second segment 1. `noise` spoils sources only (RoFormer-Sim, kexue.fm/archives/8454).
    """

    ids: Sequence[Ids]
    tokenizer: Tokenizer
    noise: Noise | None = None
    seed: int = 0

    def lengths(self, slots: Slots) -> Int[np.ndarray, "items"]:
        """Tokens of both sequences of each pair."""
        sizes = np.array([len(ids) for ids in self.ids], dtype=np.int64)
        return np.asarray(2 * (sizes[slots].sum(1) + self.tokenizer.overhead(pair=False) + 1))

    def sequences(self, slots: Slots, place: tuple[int, int]) -> list[Example]:
        """Both orders of each pair, adjacent."""
        made = []
        for one, other in slots.tolist():
            made += [self._pair(one, other, place), self._pair(other, one, place)]
        return made

    def _pair(self, source: int, target: int, place: tuple[int, int]) -> Example:
        ids = self.ids[source]
        if self.noise is not None:
            ids = self.noise(source, np.random.Generator(np.random.PCG64([self.seed, *place, source, target])))
        return self.tokenizer.assemble_target(ids, self.ids[target])
