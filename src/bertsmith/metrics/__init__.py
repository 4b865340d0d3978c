"""Answers and truth to named numbers, with how sure they are; numpy only."""

from bertsmith.metrics.bootstrap import Interval, percentile_interval
from bertsmith.metrics.calibration import Calibration, best_temperature, calibration, tempered
from bertsmith.metrics.classification import (
    ClassScores,
    Difference,
    classification_intervals,
    classification_metrics,
    confusion,
    paired_difference,
    per_class,
)
from bertsmith.metrics.correlation import correlation_intervals, correlation_metrics, pearson, spearman
from bertsmith.metrics.entities import (
    NOTHING,
    SpanError,
    entity_intervals,
    entity_metrics,
    per_type,
    span_errors,
    type_confusion,
)
from bertsmith.metrics.geometry import alignment, normed, uniformity
from bertsmith.metrics.multilabel import (
    SCORES,
    USUAL_CUT,
    best_cut,
    best_cuts,
    micro_f1,
    multilabel_intervals,
    multilabel_metrics,
    per_label,
)
from bertsmith.metrics.ranking import auc, auc_interval, ranks
from bertsmith.metrics.retrieval import Qrels, Rankings, RetrievalScores, retrieval_metrics, retrieval_scores
from bertsmith.metrics.tally import Tally, accuracy, f1, macro_f1, precision, recall, tally

__all__ = [
    "NOTHING",
    "SCORES",
    "USUAL_CUT",
    "Calibration",
    "ClassScores",
    "Difference",
    "Interval",
    "Qrels",
    "Rankings",
    "RetrievalScores",
    "SpanError",
    "Tally",
    "accuracy",
    "alignment",
    "auc",
    "auc_interval",
    "best_cut",
    "best_cuts",
    "best_temperature",
    "calibration",
    "classification_intervals",
    "classification_metrics",
    "confusion",
    "correlation_intervals",
    "correlation_metrics",
    "entity_intervals",
    "entity_metrics",
    "f1",
    "macro_f1",
    "micro_f1",
    "multilabel_intervals",
    "multilabel_metrics",
    "normed",
    "paired_difference",
    "pearson",
    "per_class",
    "per_label",
    "per_type",
    "percentile_interval",
    "precision",
    "ranks",
    "recall",
    "retrieval_metrics",
    "retrieval_scores",
    "span_errors",
    "spearman",
    "tally",
    "tempered",
    "type_confusion",
    "uniformity",
]
