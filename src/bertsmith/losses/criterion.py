"""What every criterion offers: loss and decoding in one object, so that they cannot disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Shaped
from torch import Tensor

from bertsmith.batch import Layout
from bertsmith.losses.total import Total


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """What a criterion may know of the training labels: their names, how often each occurs, in how many items.

    A model made for prediction knows the names only; then each counts as seen once.
    """

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    items: int

    @classmethod
    def of(cls, labels: Sequence[str], counts: Sequence[int] | None = None, items: int | None = None) -> "LabelFacts":
        """Fill in what is not known: one item a label."""
        known = tuple(counts) if counts is not None else (1,) * len(labels)
        return cls(tuple(labels), known, sum(known) if items is None else items)


class Criterion(Protocol):
    """Scores of items and what is true of them -> a loss; scores alone -> what is most probably true.

    An item is what gets an answer: a text, or a token of a text. `layout` says which items stand in
    one sequence (None: each item stands alone); only criteria that look at neighbours need it.
    """

    def weight(self, targets: Shaped[Tensor, "items *rest"]) -> Float[Tensor, ""]:
        """What the summed loss is divided by, known without scores."""
        ...

    def loss(
        self, scores: Float[Tensor, "items outputs"], targets: Shaped[Tensor, "items *rest"], layout: Layout | None
    ) -> Total:
        """The loss summed over items, in float32 or wider, and its weight."""
        ...

    def probabilities(
        self, scores: Float[Tensor, "items outputs"], layout: Layout | None
    ) -> Float[Tensor, "items outputs"]:
        """How likely each output is; of a number, its expected value."""
        ...

    def answer(self, scores: Float[Tensor, "items outputs"], layout: Layout | None) -> Shaped[Tensor, "items *rest"]:
        """The best answer to each item, as targets are written."""
        ...

    def to(self, device: Any) -> Any:
        """As `nn.Module`."""
        ...


@runtime_checkable
class Comparable(Protocol):
    """A criterion that can tell how far two scorings of the same items are apart: for R-Drop and distillation."""

    def divergence(
        self, one: Float[Tensor, "items outputs"], other: Float[Tensor, "items outputs"]
    ) -> Float[Tensor, "items"]:
        """How far two scorings of each item are apart; symmetric, 0 where they agree."""
        ...

    def distance(
        self, scores: Float[Tensor, "items outputs"], chances: Float[Tensor, "items outputs"], temperature: float
    ) -> Float[Tensor, "items"]:
        """How far the scores of each item are from another model's probabilities."""
        ...
