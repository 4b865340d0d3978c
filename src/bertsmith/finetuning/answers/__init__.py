"""The kinds of task: a file each, which knows labels, answers, metrics and what a prediction looks like."""

from typing import Annotated

from pydantic import Field

from bertsmith.finetuning.answers.base import Aim, Answers
from bertsmith.finetuning.answers.classes import Classification, ClassificationAnswers, Pair, PairAnswers

AnyAim = Annotated[Classification | Pair, Field(discriminator="kind")]
"""What a recipe may ask for."""

AnyAnswers = Annotated[ClassificationAnswers | PairAnswers, Field(discriminator="kind")]
"""What a bundle may hold."""

AIMS: dict[str, type[Aim]] = {"classification": Classification, "pair": Pair}
"""The kinds by name."""

__all__ = [
    "AIMS",
    "Aim",
    "Answers",
    "AnyAim",
    "AnyAnswers",
    "Classification",
    "ClassificationAnswers",
    "Pair",
    "PairAnswers",
]
