"""Before the head learns, the encoder puts the texts of one label together: what few labelled texts are good for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Int
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from bertsmith.batch import moved
from bertsmith.config import Config
from bertsmith.finetuning.model import FineTuner
from bertsmith.finetuning.reading import Reading, TextBatch, pack_readings
from bertsmith.losses import ClassContrast, SupervisedContrast

_STREAM = int.from_bytes(b"warm")


class WarmStart(Config):
    """A stage before the head learns: texts of one label are drawn together, others apart.

    The idea of SetFit (Tunstall et al. 2022, arXiv 2209.11055): n texts make some n² pairs to learn from, so that a
    few texts a class go a long way. Texts come in pairs of one label; every epoch pairs each text anew (one that
    is alone of its label with itself: dropout makes them differ) and reads `batch_size` texts an update. Twenty epochs
    are SetFit's twenty pairs a text. The vectors are those the head will read; all of the encoder
    learns, at the peak rate `lr`, everything else about the optimizer as in the run. With under some 50 texts a label.
    """

    loss: ClassContrast = SupervisedContrast()
    epochs: PositiveInt = 20
    batch_size: Annotated[int, Field(ge=4, multiple_of=2)] = 32
    lr: PositiveFloat = 2e-5


@dataclass(frozen=True, slots=True)
class ClassBatch:
    """Packed texts in pairs of one class, and the class of each."""

    texts: TextBatch
    classes: Int[Tensor, "texts"]

    @property
    def num_tokens(self) -> int:
        """Number of tokens the encoder will read."""
        return self.texts.num_tokens

    def to(self, device: torch.device | str) -> "ClassBatch":
        """Copy to a device."""
        return replace(self, texts=self.texts.to(device), classes=moved(self.classes, device))


class Warmer(nn.Module):
    """What learns in the warm start of a model: its encoder and features, without the head."""

    def __init__(self, model: FineTuner, loss: ClassContrast) -> None:
        super().__init__()
        self.encoder, self.features, self.join = model.encoder, model.features, model.join
        self._vectors, self._depth_of, self._loss = model.vectors, model.depth_of, loss

    @property
    def loss_names(self) -> tuple[str, ...]:
        """There is one loss."""
        return ("contrast",)

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer."""
        return self.encoder.config.num_layers

    def depth_of(self, parameter: str) -> int:
        """As the model's."""
        return self._depth_of(parameter)

    def loss_weights(self, batch: ClassBatch) -> dict[str, Tensor]:
        """What the loss is divided by."""
        return {"contrast": self._loss.weight(batch.classes)}

    def forward(self, batch: ClassBatch) -> dict[str, Tensor]:
        """The loss of all texts of an update together."""
        return {"contrast": self._loss.loss(self._vectors(batch.texts), batch.classes).sum}


class ClassUpdates:
    """Labelled texts in pairs of one class, as a pure function of the position in the run.

    An update is one micro-batch: its texts are compared with each other, so it cannot be cut.
    """

    def __init__(
        self, readings: Sequence[Reading], classes: Int[np.ndarray, "texts"], *, batch_size: int, seed: int
    ) -> None:
        self._readings = readings
        self._classes = classes
        self._batches = lru_cache(maxsize=2)(partial(_epoch, classes, batch_size // 2, seed))

    def per_epoch(self, epoch: int) -> int:
        """How many updates this epoch has."""
        return len(self._batches(epoch))

    def update(self, epoch: int, index: int, *, at_least: int) -> list[Callable[[], ClassBatch]]:
        """The one micro-batch of an update."""
        return [partial(self._batch, self._batches(epoch)[index])]

    def _batch(self, rows: Int[np.ndarray, "rows"]) -> ClassBatch:
        texts = pack_readings([self._readings[row] for row in rows])
        return ClassBatch(texts, torch.from_numpy(self._classes[rows]))


def pairs_of_classes(classes: Int[np.ndarray, "texts"], random: np.random.Generator) -> Int[np.ndarray, "pairs two"]:
    """Every text in a pair with another one of its class, drawn anew; of an odd number the last meets the first.

    A text that is alone of its class is paired with itself.
    """
    order = random.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    counts = np.unique(classes, return_counts=True)[1]
    starts = np.cumsum(counts) - counts
    pairs = [
        np.append(members, members[:1]).reshape(-1, 2) if len(members) % 2 else members.reshape(-1, 2)
        for members in np.split(order, starts[1:])
    ]
    return np.concatenate(pairs)


def _epoch(classes: Int[np.ndarray, "texts"], pairs: int, seed: int, epoch: int) -> list[Int[np.ndarray, "rows"]]:
    """The rows of each update, pair by pair; a single pair left over, without negatives, joins the update before."""
    random = np.random.Generator(np.random.PCG64([_STREAM, seed, epoch]))
    made = random.permutation(pairs_of_classes(classes, random))
    bounds = list(range(pairs, len(made), pairs))
    if bounds and len(made) - bounds[-1] == 1:
        bounds.pop()
    return [part.reshape(-1) for part in np.split(made, bounds)]
