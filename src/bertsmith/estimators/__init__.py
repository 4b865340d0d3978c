"""The Python front: estimators with scikit-learn habits (fit, predict, predict_proba, score, clone)."""

from bertsmith.estimators.classifiers import Classifier, PairClassifier
from bertsmith.estimators.mteb import MtebModel
from bertsmith.estimators.multitask import MultiTask
from bertsmith.estimators.numbers import Regressor
from bertsmith.estimators.paraphraser import Paraphraser
from bertsmith.estimators.search import Index
from bertsmith.estimators.sentences import SentenceEncoder
from bertsmith.estimators.tagger import Entity, Tagger
from bertsmith.estimators.validation import cross_validate

__all__ = [
    "Classifier",
    "Entity",
    "Index",
    "MtebModel",
    "MultiTask",
    "PairClassifier",
    "Paraphraser",
    "Regressor",
    "SentenceEncoder",
    "Tagger",
    "cross_validate",
]
