"""Cross-validation of an estimator: out-of-fold answers, figures with intervals, and the folds' models as one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.estimators.base import TextEstimator
from bertsmith.estimators.inputs import plain
from bertsmith.experiments import CrossValidated, Folding, TrialRunner
from bertsmith.experiments import cross_validate as validate
from bertsmith.recipes import FinetuneRecipe, Rows

T = TypeVar("T", bound=TextEstimator)

GROUP = "group"


def cross_validate(  # noqa: PLR0913 - as scikit-learn's, every choice by name
    estimator: T,
    inputs: Any,
    labels: Any,
    *,
    k: int = 5,
    groups: Any = None,
    select_on: Literal["inner", "fold"] = "inner",
    processes: int = 1,
    folder: str | Path | None = None,
) -> tuple[T, CrossValidated]:
    """Train a model for every fold on the others; give back the estimator that answers as all of them, and the figures.

    Rows with equal `groups`, and equal texts, share a fold. `select_on` says which texts choose the best weights of
    a fold's model: some of the other folds (`inner`), or the fold itself. With a `folder`, what is done is kept
    there, and calling again goes on. `found.measured.metrics` and `.intervals` are those of all rows, each answered
    by the model that did not see it (`found.measured.outputs`); `found.mean` and `found.std` are over folds.

    >>> clf, found = cross_validate(Classifier("tiny-zh"), texts, labels, k=5)  # doctest: +SKIP
    >>> found.measured.metrics["accuracy"], found.std["accuracy"], clf.predict(["..."])  # doctest: +SKIP

    Raises:
        UserError: texts, labels and groups do not fit, there are too few rows, or a fold failed.
    """
    made = type(estimator)(**estimator.get_params(deep=False))
    labelled = made.labelled({"train": (inputs, labels)})
    records, recipe = _grouped(labelled.rows["train"], groups, made.recipe(**labelled.task))
    folding = Folding(k=k, select_on=select_on)
    with TemporaryDirectory(prefix="bertsmith-") as temporary:
        runner = TrialRunner(Path(folder or temporary), processes=processes)
        found = validate(recipe, folding, Rows(records, "train"), runner)
    made._take(found.ensemble.but(label_type=labelled.label_type))
    return made, found


def _grouped(
    records: Sequence[Record], groups: Any, recipe: FinetuneRecipe
) -> tuple[tuple[Record, ...], FinetuneRecipe]:
    if groups is None:
        return tuple(records), recipe
    names = [str(group) for group in plain(groups)]
    if len(names) != len(records):
        raise UserError(f"{len(records)} texts but {len(names)} groups; give one group a text", code="uneven")
    told = tuple(replace(record, row={**record.row, GROUP: name}) for record, name in zip(records, names, strict=True))
    return told, recipe.but(data=recipe.data.but(group_column=GROUP))
