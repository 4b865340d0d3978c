"""A fine-tuning task = answers × document × features × head × criterion, trained and used."""

from bertsmith.finetuning.answers import (
    AIMS,
    Aim,
    Answers,
    AnyAim,
    AnyAnswers,
    Classification,
    ClassificationAnswers,
    MultiLabel,
    MultiLabelAnswers,
    Pair,
    PairAnswers,
    Regression,
    RegressionAnswers,
    Tagging,
    TaggingAnswers,
    TagTargets,
)
from bertsmith.finetuning.choosing import chosen_document
from bertsmith.finetuning.documents import (
    AnyDocument,
    AskedDocument,
    Auto,
    Chunks,
    ReadDocument,
    Truncate,
    Windows,
    shorten_pair,
)
from bertsmith.finetuning.guidance import Distill, Guided, RDrop, require_comparable
from bertsmith.finetuning.mixture import MixedUpdates, MultiTuner, TaskBatch
from bertsmith.finetuning.model import FineTuner, LabelledBatch
from bertsmith.finetuning.ngram_counts import Sides, most_counted, renumbered_ngrams, require_room
from bertsmith.finetuning.ngrams import NgramPart, Ngrams, NgramScorer, fitted_ngrams
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.prediction import predict
from bertsmith.finetuning.preparation import Prepared, length_limit, prepare
from bertsmith.finetuning.reading import Reading, TextBatch, pack_readings
from bertsmith.finetuning.sampling import Fixed, Proportional, Sampling, Temperature, order_of_epoch, quotas
from bertsmith.finetuning.targets import Targets
from bertsmith.finetuning.task import Task, require_fit, upgraded
from bertsmith.finetuning.together import predict_together
from bertsmith.finetuning.updates import LabelledUpdates
from bertsmith.finetuning.warm_start import ClassBatch, ClassUpdates, Warmer, WarmStart, pairs_of_classes
from bertsmith.text.shortening import Truncated, shorten

__all__ = [
    "AIMS",
    "Aim",
    "Answers",
    "AnyAim",
    "AnyAnswers",
    "AnyDocument",
    "AskedDocument",
    "Auto",
    "Chunks",
    "ClassBatch",
    "ClassUpdates",
    "Classification",
    "ClassificationAnswers",
    "Distill",
    "FineTuner",
    "Fixed",
    "Guided",
    "LabelledBatch",
    "LabelledUpdates",
    "MixedUpdates",
    "MultiLabel",
    "MultiLabelAnswers",
    "MultiTuner",
    "NgramPart",
    "NgramScorer",
    "Ngrams",
    "Outputs",
    "Pair",
    "PairAnswers",
    "Prepared",
    "Proportional",
    "RDrop",
    "ReadDocument",
    "Reading",
    "Regression",
    "RegressionAnswers",
    "Sampling",
    "Sides",
    "TagTargets",
    "Tagging",
    "TaggingAnswers",
    "Targets",
    "Task",
    "TaskBatch",
    "Temperature",
    "TextBatch",
    "Truncate",
    "Truncated",
    "WarmStart",
    "Warmer",
    "Windows",
    "chosen_document",
    "fitted_ngrams",
    "length_limit",
    "most_counted",
    "order_of_epoch",
    "pack_readings",
    "pairs_of_classes",
    "predict",
    "predict_together",
    "prepare",
    "quotas",
    "renumbered_ngrams",
    "require_comparable",
    "require_fit",
    "require_room",
    "shorten",
    "shorten_pair",
    "upgraded",
]
