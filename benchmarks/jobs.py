"""One fine-tuning as a value, the same for every system that is asked to do it, and what came of it."""

from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True)
class Job:
    """Train from the checkpoint `model` on `train`, measure on `test`.

    With `dev`, the epoch that is best there is kept, without it the last one. `set_aside` takes dev
    from train instead, and `settings` are fields of our recipe (`features.pooling=mean`); other
    systems do not know these two.
    """

    model: str
    train: Texts
    test: Texts
    dev: Texts | None = None
    epochs: int = 3
    batch_size: int = 32
    lr: float = 5e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_length: int = 512
    keep: Literal["head", "tail", "head_tail"] = "head"
    seed: int = 0
    set_aside: float | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fit:
    """What a system made of a job: accuracies, and the time from texts to them (imports left out).

    `seconds` are the clock's; `cpu_seconds` are those of all threads, which a busy machine changes less.
    """

    accuracy: float
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    dev_accuracy: float | None = None
