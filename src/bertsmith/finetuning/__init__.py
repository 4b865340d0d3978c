"""A fine-tuning task = document × features × head × criterion, trained and used."""

from bertsmith.finetuning.documents import Truncate, Truncated, shorten, shorten_pair
from bertsmith.finetuning.model import FineTuner, LabelledBatch
from bertsmith.finetuning.prediction import probabilities
from bertsmith.finetuning.preparation import Prepared, length_limit, prepare
from bertsmith.finetuning.task import Task, TaskKind
from bertsmith.finetuning.updates import LabelledUpdates

__all__ = [
    "FineTuner",
    "LabelledBatch",
    "LabelledUpdates",
    "Prepared",
    "Task",
    "TaskKind",
    "Truncate",
    "Truncated",
    "length_limit",
    "prepare",
    "probabilities",
    "shorten",
    "shorten_pair",
]
