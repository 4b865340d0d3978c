"""The kinds of task: a file each, which knows labels, answers, metrics and what a prediction looks like."""

from typing import Annotated

from pydantic import Field

from bertsmith.finetuning.answers.base import Aim, Answers
from bertsmith.finetuning.answers.classes import Classification, ClassificationAnswers, Pair, PairAnswers
from bertsmith.finetuning.answers.multilabel import MultiLabel, MultiLabelAnswers
from bertsmith.finetuning.answers.numbers import Regression, RegressionAnswers
from bertsmith.finetuning.answers.tagging import Tagging, TaggingAnswers, TagTargets

AnyAim = Annotated[Classification | Pair | MultiLabel | Regression | Tagging, Field(discriminator="kind")]
"""What a recipe may ask for."""

AnyAnswers = Annotated[
    ClassificationAnswers | PairAnswers | MultiLabelAnswers | RegressionAnswers | TaggingAnswers,
    Field(discriminator="kind"),
]
"""What a bundle may hold."""

AIMS: dict[str, type[Aim]] = {
    "classification": Classification,
    "pair": Pair,
    "multilabel": MultiLabel,
    "regression": Regression,
    "tagging": Tagging,
}
"""The kinds by name."""

__all__ = [
    "AIMS",
    "Aim",
    "Answers",
    "AnyAim",
    "AnyAnswers",
    "Classification",
    "ClassificationAnswers",
    "MultiLabel",
    "MultiLabelAnswers",
    "Pair",
    "PairAnswers",
    "Regression",
    "RegressionAnswers",
    "TagTargets",
    "Tagging",
    "TaggingAnswers",
]
