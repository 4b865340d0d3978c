"""The linear model of n-grams in a run: fitted on the training texts, weighed by dev, measured beside the encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bertsmith.finetuning import (
    Answers,
    FineTuner,
    Ngrams,
    NgramScorer,
    Outputs,
    Prepared,
    Reading,
    Sides,
    Targets,
    fitted_ngrams,
    most_counted,
)
from bertsmith.losses.class_weights import WeightedByClass
from bertsmith.metrics import best_powers, pool_loss, pooled
from bertsmith.recipes.schema import FinetuneRecipe

FIT_SIZE, FIT_SIZE_OF_PAIRS = 15_000_000, 30_000_000
"""Runs of tokens, and of pairs every two of them, that are counted; of more, texts are drawn. They take 2.3 GB and a
minute (LOG.md). Of pairs it is what could be there; about half of it is, since what both have is not exchanged."""

WHO = ("the encoder", "the n-grams", "both")


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of the n-grams: how many are known, the powers that dev gave, and what each is worth alone.

    `metrics` holds, of each split, those of the encoder, of the n-grams and of both together. `texts` is how many
    were counted, `of` how many there are. `chosen` is how they were fitted, which dev chose from `choices`. `why` says
    why there is no linear model.
    """

    features: int
    texts: int
    of: int
    chosen: Ngrams
    powers: tuple[float, float]
    metric: str
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    why: str | None = None
    choices: int = 1

    def summary(self) -> dict[str, object]:
        """As metrics.json tells it."""
        if self.why is not None:
            return {"features": 0, "why": self.why}
        powers = dict(zip(("encoder", "ngrams"), self.powers, strict=True))
        fit = {"strength": self.chosen.strength, "exchanged": self.chosen.exchanged}
        return {"features": self.features, "texts": self.texts, **fit, "powers": powers, **self.metrics}

    def __str__(self) -> str:
        if self.why is not None:
            return f"n-grams: none, {self.why}; the encoder answers alone"
        told = "; ".join(
            f"{name} {self.metric} "
            + ", ".join(f"{values[self.metric]:.4f} by {who}" for who, values in zip(WHO, each.values(), strict=True))
            for name, each in self.metrics.items()
        )
        counted = "" if self.texts == self.of else f", counted in {self.texts:,} of {self.of:,} training texts"
        chosen = (
            f", fitted in {self.choices} ways, of which dev chose strength={self.chosen.strength:g} "
            f"exchanged={self.chosen.exchanged}"
            if self.choices > 1
            else ""
        )
        return (
            f"n-grams: {self.features:,} of them answer beside the encoder{counted}{chosen}, their probabilities "
            f"raised to {self.powers[1]:.2f}, its own to {self.powers[0]:.2f}: {told}"
        )


def join_ngrams(
    model: FineTuner,
    recipe: FinetuneRecipe,
    prepared: Mapping[str, Prepared],
    truth: Mapping[str, Targets],
    said: Mapping[str, Outputs],
) -> tuple[dict[str, Outputs], Joined]:
    """Fit n-grams to the training texts and let the model answer with them; `said` is what the encoder says alone.

    Returns what both say together. Dev weighs the two, so its own figures are told a little too kindly; test's are not.
    """
    answers, metric = model.task.answers, recipe.selection.metric
    readings, labels = prepared["train"].readings, truth["train"].values
    sides, weights = _sides(answers), _weights(model, labels)
    choices = list((recipe.ngrams or Ngrams()).choices(sides, ids=model.encoder.config.vocab_size))
    rows = _counted(readings, choices[-1], sides, recipe.seed)
    counted, known = [readings[row] for row in rows], truth["dev"].values
    importance, fits = np.asarray(weights)[known], []
    for choice in choices:
        scorer = _fitted(counted, labels[rows], model, choice, weights)
        if isinstance(scorer, str):
            return dict(said), Joined(0, len(rows), len(readings), choice, (1.0, 0.0), metric, {}, scorer)
        chances = scorer.chances(*prepared["dev"].views)
        powers = best_powers(said["dev"].values, chances, known, importance=importance)
        scorer.part = scorer.part.but(powers=powers)
        fits.append((pool_loss(said["dev"].values, chances, known, powers, importance=importance), scorer, choice))
    _, scorer, choice = min(fits, key=lambda fit: fit[0])
    alone = {name: scorer.chances(*prepared[name].views) for name in said}
    model.join_in(scorer.to(next(model.parameters()).device))
    both = {
        name: replace(outputs, values=pooled(outputs.values, alone[name], scorer.part.powers))
        for name, outputs in said.items()
    }
    parts = {
        name: {
            "encoder": answers.metrics(said[name], truth[name]),
            "ngrams": answers.metrics(Outputs(alone[name]), truth[name]),
            "both": answers.metrics(both[name], truth[name]),
        }
        for name in said
    }
    return both, Joined(
        scorer.part.features, len(rows), len(readings), choice, scorer.part.powers, metric, parts, choices=len(choices)
    )


def _fitted(
    readings: Sequence[Reading], labels: np.ndarray, model: FineTuner, config: Ngrams, weights: Sequence[float]
) -> NgramScorer | str:
    """The linear model, or why there is none."""
    sides = _sides(model.task.answers)
    if sides != "one" and not any(each.segment_ids.any() for reading in readings for each in reading.sequences):
        return "this encoder tells no segments apart, so that nobody knows where the first text of a pair ends"
    ids = model.encoder.config.vocab_size
    scorer = fitted_ngrams(readings, labels, config=config, ids=ids, weights=weights, sides=sides)
    if scorer is None:
        return f"no run of tokens is in {config.least(len(readings))} training texts or more, but not in all"
    return scorer


def _sides(answers: Answers) -> Sides:
    """Whether it reads one text or two, and if two, whether their order says something."""
    if not answers.pairs:
        return "one"
    return "symmetric" if answers.both_orders else "ordered"


def _weights(model: FineTuner, labels: np.ndarray) -> Sequence[float]:
    """How much a text of each label counts, as for the encoder."""
    criterion = model.task.criterion
    outputs = len(model.task.labels)
    if not isinstance(criterion, WeightedByClass):
        return (1.0,) * outputs
    return criterion.weights(np.bincount(labels, minlength=outputs).tolist())


def _counted(readings: Sequence[Reading], config: Ngrams, sides: Sides, seed: int) -> np.ndarray:
    """All texts, or as many, drawn at random, as may be counted."""
    sizes = most_counted(readings, longest=config.longest, sides=sides, exchanged=config.exchanged or 1)
    most = FIT_SIZE if sides == "one" else FIT_SIZE_OF_PAIRS
    if sizes.sum() <= most:
        return np.arange(len(sizes))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(sizes))
    return np.sort(order[: max(int(np.searchsorted(np.cumsum(sizes[order]), most)), 1)])
