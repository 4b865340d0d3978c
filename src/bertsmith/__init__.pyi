from .encoder import Encoder
from .errors import UserError
from .estimators import (
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
from .recipes import Ensemble

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
