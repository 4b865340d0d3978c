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
from bertsmith.losses.in_batch import AllPairs, AllPairsCriterion, InBatch, InBatchCriterion
from bertsmith.losses.matryoshka import Matryoshka
from bertsmith.losses.same_class import ClassContrast, ClassCosine, SupervisedContrast
from bertsmith.losses.sigmoid import Binary, BinaryCriterion
from bertsmith.losses.similarity import (
    CoSent,
    CoSentCriterion,
    CosineRegression,
    CosineRegressionCriterion,
    PairClasses,
    PairClassesCriterion,
    Triplet,
    TripletCriterion,
)
from bertsmith.losses.teaching import (
    SimilaritiesCriterion,
    TeacherSimilarities,
    TeacherVectors,
    TeacherVectorsCriterion,
)
from bertsmith.losses.total import Total
from bertsmith.losses.vectors import Truth, VectorCriterion, VectorLoss
from bertsmith.losses.vocabulary import Guesses, vocabulary_loss

AnyCriterion = Annotated[
    CrossEntropy | Focal | Crf | Binary | SquaredError | AbsoluteError | Huber, Field(discriminator="kind")
]
"""What a task may be trained by."""

AnyVectorLoss = Annotated[
    InBatch | AllPairs | CoSent | PairClasses | CosineRegression | Triplet | TeacherSimilarities | TeacherVectors,
    Field(discriminator="kind"),
]
"""What sentence vectors may be trained by."""

__all__ = [
    "AbsoluteError",
    "AllPairs",
    "AllPairsCriterion",
    "AnyCriterion",
    "AnyVectorLoss",
    "Binary",
    "BinaryCriterion",
    "ClassContrast",
    "ClassCosine",
    "CoSent",
    "CoSentCriterion",
    "Comparable",
    "CosineRegression",
    "CosineRegressionCriterion",
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
    "InBatch",
    "InBatchCriterion",
    "LabelFacts",
    "Matryoshka",
    "PairClasses",
    "PairClassesCriterion",
    "SimilaritiesCriterion",
    "SquaredError",
    "SupervisedContrast",
    "TeacherSimilarities",
    "TeacherVectors",
    "TeacherVectorsCriterion",
    "Total",
    "Triplet",
    "TripletCriterion",
    "Truth",
    "VectorCriterion",
    "VectorLoss",
    "balanced_weights",
    "binary_loss",
    "effective_weights",
    "vocabulary_loss",
]
