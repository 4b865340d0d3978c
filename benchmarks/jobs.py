"""Labelled texts as values."""

from dataclasses import dataclass

import numpy as np

from bertsmith.data import Record


@dataclass(frozen=True)
class Texts:
    """Labelled texts."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def sample(self, size: int, seed: int) -> "Texts":
        """A seeded sample without replacement, in the order of the file; all texts if there are fewer."""
        rows = np.sort(np.random.default_rng(seed).permutation(len(self))[:size])
        return Texts(tuple(self.texts[row] for row in rows), tuple(self.labels[row] for row in rows))

    def records(self, name: str) -> list[Record]:
        """The same as the records of a file."""
        return [
            Record(text, None, label, where=f"{name}:{number}")
            for number, (text, label) in enumerate(zip(self.texts, self.labels, strict=True), start=1)
        ]
