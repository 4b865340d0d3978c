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
from bertsmith.finetuning.guidance import Distill, Guided, RDrop
from bertsmith.finetuning.model import FineTuner, LabelledBatch
from bertsmith.finetuning.outputs import Outputs
from bertsmith.finetuning.prediction import predict
from bertsmith.finetuning.preparation import Prepared, length_limit, prepare
from bertsmith.finetuning.reading import Reading, TextBatch, pack_readings
from bertsmith.finetuning.targets import Targets
from bertsmith.finetuning.task import Task, require_fit, upgraded
from bertsmith.finetuning.together import predict_together
from bertsmith.finetuning.updates import LabelledUpdates
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
    "Classification",
    "ClassificationAnswers",
    "Distill",
    "FineTuner",
    "Guided",
    "LabelledBatch",
    "LabelledUpdates",
    "MultiLabel",
    "MultiLabelAnswers",
    "Outputs",
    "Pair",
    "PairAnswers",
    "Prepared",
    "RDrop",
    "ReadDocument",
    "Reading",
    "Regression",
    "RegressionAnswers",
    "TagTargets",
    "Tagging",
    "TaggingAnswers",
    "Targets",
    "Task",
    "TextBatch",
    "Truncate",
    "Truncated",
    "Windows",
    "chosen_document",
    "length_limit",
    "pack_readings",
    "predict",
    "predict_together",
    "prepare",
    "require_fit",
    "shorten",
    "shorten_pair",
    "upgraded",
]
