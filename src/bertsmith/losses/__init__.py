"""Scores or vectors -> a number, as a sum over items and the weight to divide it by."""

from bertsmith.losses.cross_entropy import CrossEntropy, CrossEntropyCriterion, balanced_weights
from bertsmith.losses.total import Total

__all__ = ["CrossEntropy", "CrossEntropyCriterion", "Total", "balanced_weights"]
