"""The Python front: estimators with scikit-learn habits (fit, predict, predict_proba, score, clone)."""

from bertsmith.estimators.classifiers import Classifier, PairClassifier
from bertsmith.estimators.numbers import Regressor

__all__ = ["Classifier", "PairClassifier", "Regressor"]
