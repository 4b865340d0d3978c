"""A tag for every unit of a sequence, decided together: a linear-chain conditional random field."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertsmith.batch import Layout, Steps
from bertsmith.config import Config
from bertsmith.losses.chain import Grammar, best_paths, expectations, log_sum
from bertsmith.losses.criterion import LabelFacts
from bertsmith.losses.total import Total
from bertsmith.text.tags import Allowed, detect, is_tag


class Crf(Config):
    """Scores of tags and of steps between tags, over whole sequences (Lafferty et al. 2001; Lample et al. 2016 §2.2).

    What the tag scheme forbids (an `I-PER` after `B-ORG`) is impossible, in training and in answers.
    The scores of the steps want a rate of about 1e-2 beside an encoder's 5e-5: a recipe that gives no
    `optimizer.rates` has `{"criterion.*": 1e-2}`. Rates of your own replace it.
    """

    compares: ClassVar[bool] = False
    kind: Literal["crf"] = "crf"

    def build(self, facts: LabelFacts) -> "CrfCriterion":
        """Make the module for these tags; labels that are no tags of a scheme may follow each other freely."""
        tags = facts.labels
        return CrfCriterion(len(tags), detect([tags]).allowed(tags) if all(map(is_tag, tags)) else None)


class CrfCriterion(nn.Module):
    """Loss, probabilities and best tags by the same scores; in float32 or wider, also under autocast.

    The loss is the negative log-likelihood of the true tags of each sequence, and weighs as much as
    the sequence has units: the mean of `Total` is a loss per unit.
    """

    free_start: Tensor
    free_steps: Tensor
    free_end: Tensor

    def __init__(self, tags: int, allowed: Allowed | None = None) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(tags))
        self.steps = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))
        for name in ("start", "steps", "end"):
            shape = getattr(self, name).shape
            free = torch.from_numpy(getattr(allowed, name)) if allowed else torch.ones(shape, dtype=torch.bool)
            self.register_buffer(f"free_{name}", free, persistent=False)

    def weight(self, targets: Int[Tensor, "units"]) -> Float[Tensor, ""]:
        """The number of units."""
        return torch.full((), float(len(targets)), device=targets.device)

    def loss(self, scores: Float[Tensor, "units tags"], targets: Int[Tensor, "units"], layout: Layout | None) -> Total:
        """How unlikely the true tags are, summed over sequences. A path the scheme forbids costs infinitely much."""
        if not len(scores):
            return Total(scores.sum(), self.weight(targets))
        with torch.autocast(scores.device.type, enabled=False):
            emissions, grammar, walk = self._chain(scores, layout)
            everything = log_sum(emissions, grammar, walk)
            return Total(everything - _path_score(emissions, walk.walked(targets), grammar, walk), self.weight(targets))

    def probabilities(self, scores: Float[Tensor, "units tags"], layout: Layout | None) -> Float[Tensor, "units tags"]:
        """How likely each tag is at each unit, all paths considered."""
        with torch.autocast(scores.device.type, enabled=False):
            emissions, grammar, walk = self._chain(scores, layout)
            return walk.back(expectations(emissions, grammar, walk).tags) if len(scores) else emissions

    def answer(self, scores: Float[Tensor, "units tags"], layout: Layout | None) -> Int[Tensor, "units"]:
        """The best tags of each sequence, never breaking the scheme."""
        with torch.autocast(scores.device.type, enabled=False):
            emissions, grammar, walk = self._chain(scores, layout)
            return walk.back(best_paths(emissions, grammar, walk)) if len(scores) else scores.new_zeros(0).long()

    def _chain(self, scores: Tensor, layout: Layout | None) -> tuple[Tensor, Grammar, Steps]:
        """The emissions in the order of the walk; without a layout all units are one sequence."""
        exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
        walk = Steps.of(layout or Layout.of([len(scores)]), scores.device)
        grammar = Grammar(
            *(
                getattr(self, name).masked_fill(~getattr(self, f"free_{name}"), -torch.inf).to(exact.dtype)
                for name in ("start", "steps", "end")
            )
        )
        return walk.walked(exact), grammar, walk


def _path_score(
    emissions: Float[Tensor, "units tags"], tags: Int[Tensor, "units"], grammar: Grammar, walk: Steps
) -> Float[Tensor, ""]:
    """The summed score of one path of each sequence, rows in the order of the walk."""
    parts = walk.parts(tags)
    ended = torch.cat([part[going:] for part, going in zip(parts, walk.following, strict=True)])
    before = torch.cat([part[:going] for part, going in zip(parts, walk.following, strict=True)])
    after = tags[walk.sizes[0] :]
    total: Tensor = emissions.gather(1, tags[:, None]).sum() + grammar.start[parts[0]].sum()
    return total + grammar.steps[before, after].sum() + grammar.end[ended].sum()
