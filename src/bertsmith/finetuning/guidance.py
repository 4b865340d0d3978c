"""More to learn from than labels: one's own answer under other dropout (R-Drop), and a teacher's."""

from collections.abc import Iterator
from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from bertsmith.config import Config
from bertsmith.finetuning.model import FineTuner, LabelledBatch
from bertsmith.losses import AnyCriterion, Comparable


class RDrop(Config):
    """Two passes over every text with different dropout, drawn together (Liang et al. 2021, arXiv 2106.14448 §2).

    The loss is the mean of both passes' own losses plus `alpha` / 2 times half the sum of KL(1 ‖ 2)
    and KL(2 ‖ 1): half the paper's equation 4, so that `alpha` is the paper's, and without dropout
    nothing changes. Small sets gain most; an update takes twice the time and memory.
    """

    alpha: NonNegativeFloat = 1.0


class Distill(Config):
    """A fine-tuned model of ours as teacher: its probabilities are learned beside the labels (Hinton et al. 2015).

    arXiv 1503.02531 §2: (1 − `weight`) · loss + `weight` · T² · KL(teacher ‖ student), both softened by
    the `temperature` T. The teacher reads every training text once, before training; it must know
    the same labels. `texts` names a file of more texts, whose labels are not looked at: the teacher
    alone teaches them. For a small student (`start.layers`) of a large teacher.
    """

    teacher: str
    texts: str | None = None
    temperature: PositiveFloat = 2.0
    weight: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5


def require_comparable(criterion: AnyCriterion) -> None:
    """Make sure that a criterion can compare two scorings of a text, as R-Drop and distillation do.

    Raises:
        ValueError: it cannot.
    """
    if not getattr(criterion, "compares", True):
        raise ValueError(
            f"criterion {criterion.kind} cannot compare two scorings of a text, which r_drop and distill need; "
            "leave them out, or choose another criterion"
        )


class Guided:
    """A model as the loop trains it: with its own loss, those of its guides as further losses.

    Its own loss knows labelled items only, the others also those without a label (target -100). It has
    no weights of its own; what is measured, kept and saved is the model inside.
    """

    def __init__(self, model: FineTuner, *, r_drop: RDrop | None = None, distill: Distill | None = None) -> None:
        assert isinstance(model.criterion, Comparable)
        self.model, self.criterion = model, model.criterion
        self.r_drop, self.distill = r_drop, distill

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Its own, then its guides'."""
        guides = {"r_drop": self.r_drop, "teacher": self.distill}
        return (*self.model.loss_names, *(name for name, guide in guides.items() if guide is not None))

    @property
    def top_depth(self) -> int:
        """As the model's."""
        return self.model.top_depth

    def depth_of(self, parameter: str) -> int:
        """As the model's."""
        return self.model.depth_of(parameter)

    def loss_weights(self, batch: LabelledBatch) -> dict[str, Tensor]:
        """Its own loss weighs what it does alone, each guide the number of items."""
        own = self.model.loss_weights(batch)
        items = torch.full((), float(len(batch.targets)), device=batch.targets.device)
        return {**dict.fromkeys(self.loss_names, items), **own}

    def __call__(self, batch: LabelledBatch) -> dict[str, Tensor]:
        """The losses of a micro-batch, summed over items; means over passes and samples of the head."""
        passes = [self.model.scorings(batch.texts) for _ in range(1 if self.r_drop is None else 2)]
        scorings = [scores for each in passes for scores in each]
        own = [self.model.criterion.loss(scores, batch.targets, batch.texts.layout).sum for scores in scorings]
        sums = {"loss": torch.stack(own).mean() * (1 if self.distill is None else 1 - self.distill.weight)}
        if self.r_drop is not None:
            between = [self.criterion.divergence(one, other) for one, other in zip(*passes, strict=True)]
            sums["r_drop"] = self.r_drop.alpha / 2 * torch.stack(between).mean(0).sum()
        if self.distill is not None:
            assert batch.soft is not None
            apart = [self.criterion.distance(scores, batch.soft, self.distill.temperature) for scores in scorings]
            sums["teacher"] = self.distill.weight * torch.stack(apart).mean(0).sum()
        return sums

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """As the model's."""
        return self.model.named_parameters()

    def state_dict(self, *, keep_vars: bool = False) -> dict[str, Any]:
        """As the model's."""
        return self.model.state_dict(keep_vars=keep_vars)

    def train(self) -> None:
        """Drop."""
        self.model.train()

    def eval(self) -> None:
        """Drop nothing."""
        self.model.eval()
