"""Scores or vectors -> a number, as a sum over items and the weight to divide it by."""

from typing import Annotated

from pydantic import Field

from bertsmith.losses.binary import binary_loss
from bertsmith.losses.crf import Crf, CrfCriterion
from bertsmith.losses.criterion import Criterion, LabelFacts
from bertsmith.losses.cross_entropy import CrossEntropy, CrossEntropyCriterion, balanced_weights
from bertsmith.losses.total import Total
from bertsmith.losses.vocabulary import Guesses, vocabulary_loss

AnyCriterion = Annotated[CrossEntropy | Crf, Field(discriminator="kind")]
"""What a task may be trained by."""

__all__ = [
    "AnyCriterion",
    "Crf",
    "CrfCriterion",
    "Criterion",
    "CrossEntropy",
    "CrossEntropyCriterion",
    "Guesses",
    "LabelFacts",
    "Total",
    "balanced_weights",
    "binary_loss",
    "vocabulary_loss",
]
