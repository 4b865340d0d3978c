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
from bertsmith.metrics import best_powers, pooled
from bertsmith.recipes.schema import FinetuneRecipe

FIT_SIZE = 15_000_000
"""Runs of tokens, and of pairs every two of them, that are counted, about; of more, texts are drawn. They take 2.3 GB
and a minute (LOG.md)."""

WHO = ("the encoder", "the n-grams", "both")


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of the n-grams: how many are known, the powers that dev gave, and what each is worth alone.

    `metrics` holds, of each split, those of the encoder, of the n-grams and of both together. `texts` is how many
    were counted. `why` says why there is no linear model.
    """

    features: int
    texts: int
    of: int
    powers: tuple[float, float]
    metric: str
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    why: str | None = None

    def summary(self) -> dict[str, object]:
        """As metrics.json tells it."""
        if self.why is not None:
            return {"features": 0, "why": self.why}
        powers = dict(zip(("encoder", "ngrams"), self.powers, strict=True))
        return {"features": self.features, "texts": self.texts, "powers": powers, **self.metrics}

    def __str__(self) -> str:
        if self.why is not None:
            return f"n-grams: none, {self.why}; the encoder answers alone"
        told = "; ".join(
            f"{name} {self.metric} "
            + ", ".join(f"{values[self.metric]:.4f} by {who}" for who, values in zip(WHO, each.values(), strict=True))
            for name, each in self.metrics.items()
        )
        counted = "" if self.texts == self.of else f", counted in {self.texts:,} of {self.of:,} training texts"
        return (
            f"n-grams: {self.features:,} of them answer beside the encoder{counted}, their probabilities raised to "
            f"{self.powers[1]:.2f}, its own to {self.powers[0]:.2f}: {told}"
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
    config, sides, weights = recipe.ngrams or Ngrams(), _sides(answers), _weights(model, labels)
    rows = _counted(most_counted(readings, longest=config.longest, sides=sides), recipe.seed)
    scorer = _fitted([readings[row] for row in rows], labels[rows], model, config, weights)
    if isinstance(scorer, str):
        return dict(said), Joined(0, len(rows), len(readings), (1.0, 0.0), metric, {}, scorer)
    alone = {name: scorer.chances(*prepared[name].views) for name in said}
    known = truth["dev"].values
    powers = best_powers(said["dev"].values, alone["dev"], known, importance=np.asarray(weights)[known])
    scorer.part = scorer.part.but(powers=powers)
    model.join_in(scorer.to(next(model.parameters()).device))
    both = {
        name: replace(outputs, values=pooled(outputs.values, alone[name], powers)) for name, outputs in said.items()
    }
    parts = {
        name: {
            "encoder": answers.metrics(said[name], truth[name]),
            "ngrams": answers.metrics(Outputs(alone[name]), truth[name]),
            "both": answers.metrics(both[name], truth[name]),
        }
        for name in said
    }
    return both, Joined(scorer.part.features, len(rows), len(readings), powers, metric, parts)


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


def _counted(sizes: np.ndarray, seed: int) -> np.ndarray:
    """All texts, or as many, drawn at random, as `FIT_SIZE` allows."""
    if sizes.sum() <= FIT_SIZE:
        return np.arange(len(sizes))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(sizes))
    return np.sort(order[: max(int(np.searchsorted(np.cumsum(sizes[order]), FIT_SIZE)), 1)])
