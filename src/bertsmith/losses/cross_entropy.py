"""One of several labels: softmax and cross entropy."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.batch import Layout
from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.losses.criterion import LabelFacts
from bertsmith.losses.total import Total


def balanced_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weights that give every label the same say: items / (labels × items of the label), as scikit-learn's.

    Raises:
        ValueError: a label has no items.
    """
    if min(counts, default=0) < 1:
        raise ValueError(f"balanced class weights need at least one item of every label, got counts {list(counts)}")
    return tuple(sum(counts) / (len(counts) * count) for count in counts)


class CrossEntropy(Config):
    """Softmax over the labels.

    `class_weights` is `none`, `balanced` (from the label counts) or one number a label.
    `label_smoothing` moves that share of the target evenly to all labels (Szegedy et al. 2016, arXiv 1512.00567).
    """

    kind: Literal["cross_entropy"] = "cross_entropy"
    class_weights: Literal["none", "balanced"] | tuple[PositiveFloat, ...] = "none"
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0

    def build(self, facts: LabelFacts) -> "CrossEntropyCriterion":
        """Make the module for these labels.

        Raises:
            UserError: the class weights do not fit the labels.
        """
        return CrossEntropyCriterion(self._weights(facts.counts), label_smoothing=self.label_smoothing)

    def _weights(self, label_counts: Sequence[int]) -> tuple[float, ...]:
        if self.class_weights == "none":
            return (1.0,) * len(label_counts)
        if self.class_weights == "balanced":
            return balanced_weights(label_counts)
        if len(self.class_weights) != len(label_counts):
            raise UserError(
                f"{len(self.class_weights)} class_weights for {len(label_counts)} labels: give one a label",
                code="bad_setting",
            )
        return tuple(self.class_weights)


class CrossEntropyCriterion(nn.Module):
    """Loss and decoding in one object, so that they cannot disagree."""

    class_weights: Tensor

    def __init__(self, class_weights: Sequence[float], *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("class_weights", torch.tensor(class_weights), persistent=False)
        self.label_smoothing = label_smoothing

    def weight(self, targets: Int[Tensor, "items"]) -> Float[Tensor, ""]:
        """Sum of the class weights of the targets: what torch's mean divides by; ignored ones (-100) weigh nothing."""
        return (self.class_weights[targets.clamp_min(0)] * (targets >= 0)).sum()

    def loss(
        self, scores: Float[Tensor, "items labels"], targets: Int[Tensor, "items"], layout: Layout | None = None
    ) -> Total:
        """Cross entropy summed over items, in float32 or wider, and its weight."""
        exact = _exact(scores)
        total = F.cross_entropy(
            exact,
            targets,
            weight=self.class_weights.to(exact.dtype),
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        return Total(total, self.weight(targets))

    def probabilities(
        self, scores: Float[Tensor, "items labels"], layout: Layout | None = None
    ) -> Float[Tensor, "items labels"]:
        """How likely each label is."""
        return _exact(scores).softmax(-1)

    def answer(self, scores: Float[Tensor, "items labels"], layout: Layout | None = None) -> Int[Tensor, "items"]:
        """The label with the highest score, as its number."""
        return scores.argmax(-1)


def _exact(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
