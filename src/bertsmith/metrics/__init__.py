"""Answers and truth to named numbers, with how sure they are; numpy only."""

from bertsmith.metrics.bootstrap import Interval, Weighted, bootstrap, percentile_interval
from bertsmith.metrics.calibration import Calibration, best_temperature, calibration, tempered
from bertsmith.metrics.classification import (
    ClassScores,
    Difference,
    classification_intervals,
    classification_metrics,
    confusion,
    paired_difference,
    per_class,
    weighted_classification,
)
from bertsmith.metrics.correlation import (
    correlation_intervals,
    correlation_metrics,
    pearson,
    spearman,
    weighted_correlation,
)
from bertsmith.metrics.entities import (
    NOTHING,
    SpanError,
    entity_intervals,
    entity_metrics,
    per_type,
    span_errors,
    type_confusion,
    weighted_entities,
)
from bertsmith.metrics.multilabel import (
    SCORES,
    USUAL_CUT,
    best_cut,
    best_cuts,
    micro_f1,
    multilabel_intervals,
    multilabel_metrics,
    per_label,
    weighted_multilabel,
)
from bertsmith.metrics.ranking import auc, auc_interval, ranks
<<<<<<< HEAD
from bertsmith.metrics.student import critical, two_sided
=======
from bertsmith.metrics.retrieval import Qrels, Rankings, RetrievalScores, retrieval_metrics, retrieval_scores
>>>>>>> main
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
    "Weighted",
    "accuracy",
    "auc",
    "auc_interval",
    "best_cut",
    "best_cuts",
    "best_temperature",
    "bootstrap",
    "calibration",
    "classification_intervals",
    "classification_metrics",
    "confusion",
    "correlation_intervals",
    "correlation_metrics",
    "critical",
    "entity_intervals",
    "entity_metrics",
    "f1",
    "macro_f1",
    "micro_f1",
    "multilabel_intervals",
    "multilabel_metrics",
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
    "two_sided",
    "type_confusion",
    "weighted_classification",
    "weighted_correlation",
    "weighted_entities",
    "weighted_multilabel",
]
