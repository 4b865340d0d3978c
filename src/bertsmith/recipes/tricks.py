"""What a recipe puts around the model and the step of a run, and what should be said about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bertsmith.finetuning import FineTuner, Guided, Outputs, Targets, WarmStart
from bertsmith.metrics.calibration import HOTTEST, best_temperature, calibration, tempered
from bertsmith.recipes.schema import FinetuneRecipe
from bertsmith.training import ParameterGroup, Step, adversarial, compute_dtype, plain


def guided(model: FineTuner, recipe: FinetuneRecipe) -> FineTuner | Guided:
    """The model with the further losses that the recipe wants.

    Raises:
        UserError: the criterion has nothing to compare.
    """
    if recipe.r_drop is None and recipe.distill is None:
        return model
    return Guided(model, r_drop=recipe.r_drop, distill=recipe.distill)


def step_for(model: FineTuner, recipe: FinetuneRecipe, device: torch.device) -> Step:
    """How a micro-batch is learned."""
    step = plain(compute_dtype(recipe.precision, device), device)
    return step if recipe.adversarial is None else adversarial(step, recipe.adversarial, model.encoder.embeddings)


def trick_notes(
    recipe: FinetuneRecipe, model: FineTuner, groups: Sequence[ParameterGroup], train: Targets
) -> Iterator[str]:
    """What the user should know before the run; `train` is what is true of the training texts."""
    if recipe.warm_start is not None:
        yield _warm_note(recipe.warm_start, train.values)
    if recipe.ngrams is not None:
        yield (
            f"n-grams: when training is over, a linear model of runs of 1 to {recipe.ngrams.longest} tokens"
            f"{' and of every two that differ in a pair' if model.task.answers.pairs else ''} is fitted "
            "to the training texts and answers beside the encoder, both weighed by dev (ngrams=null leaves it out)"
        )
    frozen = sum(group.size for group in groups if group.from_epoch is None)
    if frozen:
        yield f"frozen: {frozen:,} of {sum(group.size for group in groups):,} weights do not learn"
    epochs = recipe.budget.epochs_of(recipe.batches.updates_of(len(train)))
    late = [group for group in groups if epochs is not None and (group.from_epoch or 0) >= epochs]
    if late:
        names = ", ".join(dict.fromkeys(group.name.partition(" (")[0] for group in late))
        yield f"freeze: the run ends after {epochs} epochs, before {names} may learn; raise freeze.layers_per_epoch"
    if recipe.distill is not None and recipe.distill.texts is not None:
        yield f"{recipe.distill.texts}: its texts join the training texts without their labels, taught by the teacher"
    config = model.encoder.config
    if recipe.r_drop is not None and not (config.hidden_dropout or config.attention_dropout):
        yield "r_drop: the encoder has no dropout, so its two passes hardly differ; set start.dropout"


def _warm_note(wanted: WarmStart, labels: np.ndarray) -> str:
    counts = np.unique(labels, return_counts=True)[1]
    alone = int((counts == 1).sum())
    told = f"; {alone:,} of the labels have one text, which is paired with itself" if alone else ""
    return (
        f"warm start ({wanted.loss.kind}): {wanted.epochs} epochs over {len(labels):,} texts of {len(counts):,} "
        f"labels, in pairs of one label, before the head learns{told}"
    )


def tricks_used(recipe: FinetuneRecipe) -> str:
    """The tricks of a recipe in a few words; their settings stand in the recipe."""
    parts = {
        "warm start": recipe.warm_start is not None,
        "layer decay": recipe.optimizer.layer_decay != 1,
        "rates by name": bool(recipe.optimizer.rates),
        "freezing": recipe.freeze is not None,
        "R-Drop": recipe.r_drop is not None,
        "teacher": recipe.distill is not None,
        "n-grams": recipe.ngrams is not None,
        "calibration": recipe.calibrate,
    }
    named = [each.kind.upper() for each in (recipe.adversarial, recipe.averaging) if each is not None]
    return ", ".join([*(name for name, used in parts.items() if used), *named]) or "none"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The temperature that dev chose, and the expected calibration error of each split without and with it.

    `why` says why the temperature is 1, where dev cannot choose.
    """

    temperature: float
    errors: Mapping[str, tuple[float, float]]
    why: str | None = None

    def summary(self) -> dict[str, object]:
        """As metrics.json tells it."""
        errors = {name: {"before": before, "after": after} for name, (before, after) in self.errors.items()}
        why = {} if self.why is None else {"why": self.why}
        return {"temperature": self.temperature, "expected_calibration_error": errors, **why}

    def __str__(self) -> str:
        told = ", ".join(f"{name} {before:.4f} → {after:.4f}" for name, (before, after) in self.errors.items())
        if self.why is not None:
            return f"not calibrated: {self.why}; the temperature stays 1, expected calibration error {told}"
        return f"calibrated on dev: temperature {self.temperature:.3f}, expected calibration error {told}"


def calibrated(said: Mapping[str, Outputs], truth: Mapping[str, Targets]) -> Calibrated:
    """Let dev choose the temperature; its own error is then told too kindly, that of test is not."""
    chances, labels = said["dev"].values, truth["dev"].values
    found = best_temperature(chances, labels)
    temperature = 1.0 if found is None else found
    errors = {
        name: (
            _error(outputs.values, truth[name].values),
            _error(tempered(outputs.values, temperature), truth[name].values),
        )
        for name, outputs in said.items()
    }
    return Calibrated(temperature, errors, _why_not(chances, labels) if found is None else None)


def _why_not(chances: np.ndarray, truth: np.ndarray) -> str:
    """Why dev names no temperature: the likelihood has no peak that its texts could tell."""
    if (chances.argmax(1) == truth).all():
        return "every text of dev is answered right, so dev cannot tell how sure is too sure"
    return f"the temperature that suits dev best lies outside 1/{HOTTEST:g} to {HOTTEST:g}"


def _error(chances: np.ndarray, truth: np.ndarray) -> float:
    return calibration(chances.max(1), chances.argmax(1) == truth).error
