"""Scores or vectors -> a number, as a sum over items and the weight to divide it by."""

from typing import Annotated

from pydantic import Field

from bertsmith.losses.binary import binary_loss
from bertsmith.losses.class_weights import balanced_weights, effective_weights
from bertsmith.losses.crf import Crf, CrfCriterion
from bertsmith.losses.criterion import Comparable, Criterion, LabelFacts
from bertsmith.losses.cross_entropy import CrossEntropy, CrossEntropyCriterion
from bertsmith.losses.distance import AbsoluteError, DistanceCriterion, Huber, SquaredError
from bertsmith.losses.focal import Focal, FocalCriterion
from bertsmith.losses.same_class import ClassContrast, ClassCosine, SupervisedContrast
from bertsmith.losses.sigmoid import Binary, BinaryCriterion
from bertsmith.losses.total import Total
from bertsmith.losses.vocabulary import Guesses, vocabulary_loss

AnyCriterion = Annotated[
    CrossEntropy | Focal | Crf | Binary | SquaredError | AbsoluteError | Huber, Field(discriminator="kind")
]
"""What a task may be trained by."""

__all__ = [
    "AbsoluteError",
    "AnyCriterion",
    "Binary",
    "BinaryCriterion",
    "ClassContrast",
    "ClassCosine",
    "Comparable",
    "Crf",
    "CrfCriterion",
    "Criterion",
    "CrossEntropy",
    "CrossEntropyCriterion",
    "DistanceCriterion",
    "Focal",
    "FocalCriterion",
    "Guesses",
    "Huber",
    "LabelFacts",
    "SquaredError",
    "SupervisedContrast",
    "Total",
    "balanced_weights",
    "binary_loss",
    "effective_weights",
    "vocabulary_loss",
]
