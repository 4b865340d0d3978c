"""What fits into the time: told from what the baseline took, before any option has run."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.experiments.laddering import LadderRecipe
from bertsmith.experiments.rungs import AnyEncoder, MultiTaskEncoder, Option, Rung

USABLE = 0.9
"""The share of the time that is planned; the rest is for what takes longer than thought."""

FOR_THE_CURVE = 0.2
"""The share of the time that the curve over the number of texts may take."""

FOR_THE_END = 0.5
"""What comes after the last run, in runs of the baseline; as much again for as many test texts as training texts."""

FEW_LONG = 0.01
"""Up to this share of long texts it makes no difference what is read of them."""

RATE = "optimizer.lr"
FAR = 2.6
"""A rate so many times the baseline's, or so much less, is tried after what promises most."""

_FURTHER_SPEED = 0.5
"""Tokens a second of further pre-training over those of fine-tuning: a whole vocabulary is scored."""
_FURTHER_TEXTS, _FURTHER_LENGTH = 32, 128
"""Of the preset `within-task`, which joins short texts; joined, they are also read faster than one by one, so what a
text costs lies halfway between its own length and the whole (LOG.md, "Does a ladder on 5,000 texts")."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the baseline: tokens of its texts, the encoder, and in seconds what a run costs.

    `lengths` count tokens before any shortening; `parallel` is how many runs go at a time.
    """

    lengths: Int[np.ndarray, "texts"]
    max_length: int
    num_layers: int
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    seeds: int = 3
    parallel: int = 1
    extra: float = 0.0
    """Texts of the extra tasks over those of this one."""

    @property
    def long(self) -> int:
        """Training texts that are longer than what is read at a time."""
        return int((self.lengths > self.max_length).sum())

    @property
    def whole(self) -> float:
        """All tokens over those that are read."""
        return float(self.lengths.sum() / np.minimum(self.lengths, self.max_length).sum())

    def run(self, option: Option) -> float:
        """Seconds of one run."""
        return self.seconds * (self.whole if option.cost == "whole" else option.cost)

    def encoder(self, encoder: AnyEncoder) -> float:
        """Seconds of further pre-training, or of learning all tasks."""
        if isinstance(encoder, MultiTaskEncoder):
            return self.seconds * (1 + self.extra)
        length = float(np.minimum(self.lengths, _FURTHER_LENGTH).mean())
        tokens = encoder.steps * _FURTHER_TEXTS * math.sqrt(length * _FURTHER_LENGTH)
        return tokens / (max(self.tokens_per_second, 1.0) * _FURTHER_SPEED)

    def option(self, option: Option) -> float:
        """Seconds from the first to the last run of an option, its encoder included."""
        first = 0.0 if option.encoder is None else self.encoder(option.encoder)
        return first + self.run(option) * self.seeds / self.parallel

    def end(self, test_texts: int) -> float:
        """Seconds for what comes after the last run: test texts read by two recipes, the best model's page."""
        return self.seconds * FOR_THE_END * (1 + test_texts / len(self.lengths))

    def share(self, share: float, updates: int, *, of: int) -> float:
        """Seconds for a share of the texts, with and without another encoder: `updates` of a run's `of`."""
        return 2 * self.seeds / self.parallel * self.seconds * max(share, min(updates / of, 1.0))


@dataclass(frozen=True, slots=True)
class Plan:
    """The options that fit, by rung; why others are left out, by rung and option; the shares of the curve."""

    options: Mapping[str, tuple[Option, ...]]
    left_out: Mapping[tuple[str, str], str]
    shares: tuple[float, ...] = ()

    @property
    def comparisons(self) -> int:
        """How many there will be."""
        return sum(map(len, self.options.values()))


def why_no_rung(rung: Rung, recipe: LadderRecipe, facts: Facts) -> str | None:
    """Why a rung is not for these texts or this baseline, if it is not."""
    texts, long = len(facts.lengths), facts.long
    if rung.needs == "long_texts" and long <= FEW_LONG * texts:
        which = f"only {long:,} of {texts:,} training texts are" if long else "no training text is"
        return f"{which} longer than {facts.max_length} tokens"
    if rung.needs == "in_domain" and not recipe.ladder.in_domain:
        return "no texts of the domain were given (--in-domain)"
    if rung.needs == "extra" and not recipe.ladder.extra:
        return "no other tasks were given (--extra)"
    if recipe.base.start.model is None and all(option.encoder for option in rung.options):
        return "the encoder is made from a checkpoint, and these weights are random"
    return None


def plan(
    rungs: Sequence[Rung],
    why_not: Mapping[tuple[str, str | None], str],
    facts: Facts,
    *,
    seconds: float | None,
    shares: Mapping[float, float],
    rate: float,
) -> Plan:
    """Choose the options to climb with: all, or the most promising that fit into `seconds`.

    `why_not` names rungs (option None) and options that are not for this task. `shares` are the points of the curve
    and their cost, the most important first; `rate` is the baseline's. Nothing that was measured on dev decides, so the
    number of comparisons is known before the first.
    """
    budget = float("inf") if seconds is None else seconds * USABLE
    chosen_shares = tuple(_fitting(shares, min(budget, budget * FOR_THE_CURVE)))
    left = budget - sum(shares[share] for share in chosen_shares)
    wanted = [
        (rung, option)
        for rung in rungs
        for option in rung.options
        if not {(rung.name, None), (rung.name, option.name)} & why_not.keys()
    ]
    order = sorted(range(len(wanted)), key=lambda place: promise(wanted[place][1], rate))
    taken: set[int] = set()
    left_out: dict[tuple[str, str], str] = {}
    for place in order:
        rung, option = wanted[place]
        cost = facts.option(option)
        if cost <= left:
            taken.add(place)
            left -= cost
        else:
            left_out[rung.name, option.name] = f"does not fit into the time: about {cost / 60:.1f} minutes"
    options = {
        rung.name: tuple(option for place, (one, option) in enumerate(wanted) if one is rung and place in taken)
        for rung in rungs
    }
    return Plan(options, left_out, tuple(sorted(chosen_shares)))


def promise(option: Option, rate: float) -> int:
    """Which options come first, those with a 1: as they say, but a rate far from the baseline's is no 1."""
    own = option.set.get(RATE)
    far = own is not None and not rate / FAR <= float(own) <= rate * FAR
    return max(option.first, 2) if far else option.first


def _fitting(costs: Mapping[float, float], budget: float) -> Iterator[float]:
    for share, cost in costs.items():
        if cost <= budget:
            budget -= cost
            yield share
