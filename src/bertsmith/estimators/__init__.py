"""The Python front: estimators with scikit-learn habits (fit, predict, predict_proba, score, clone)."""

from bertsmith.estimators.classifiers import Classifier, PairClassifier
from bertsmith.estimators.numbers import Regressor
from bertsmith.estimators.tagger import Entity, Tagger
from bertsmith.estimators.validation import cross_validate

__all__ = ["Classifier", "Entity", "PairClassifier", "Regressor", "Tagger", "cross_validate"]
