"""BERT-family text encoders, Chinese first: from texts to a proven model, with scikit-learn habits.

Importing this package pulls no torch; the classes below are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertsmith.encoder import Encoder
    from bertsmith.errors import UserError
    from bertsmith.estimators import (
        Classifier,
        Index,
        MultiTask,
        PairClassifier,
        Paraphraser,
        Regressor,
        SentenceEncoder,
        Tagger,
        cross_validate,
    )
    from bertsmith.recipes import Ensemble

_HOMES = {
    "Classifier": "bertsmith.estimators",
    "Encoder": "bertsmith.encoder",
    "Ensemble": "bertsmith.recipes",
    "MultiTask": "bertsmith.estimators",
    "Index": "bertsmith.estimators",
    "PairClassifier": "bertsmith.estimators",
    "Paraphraser": "bertsmith.estimators",
    "Regressor": "bertsmith.estimators",
    "SentenceEncoder": "bertsmith.estimators",
    "Tagger": "bertsmith.estimators",
    "UserError": "bertsmith.errors",
    "cross_validate": "bertsmith.estimators",
}

__all__ = [
    "Classifier",
    "Encoder",
    "Ensemble",
    "Index",
    "MultiTask",
    "PairClassifier",
    "Paraphraser",
    "Regressor",
    "SentenceEncoder",
    "Tagger",
    "UserError",
    "cross_validate",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
