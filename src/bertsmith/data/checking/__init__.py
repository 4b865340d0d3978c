"""Preflight: what is wrong with the data, where, and what to do."""

from bertsmith.data.checking.finding import CheckReport, Finding, LengthSummary, refuse_errors
from bertsmith.data.checking.lengths import TextTokenizer, TokenBudget
from bertsmith.data.checking.preflight import check_files, check_splits, require_trainable

__all__ = [
    "CheckReport",
    "Finding",
    "LengthSummary",
    "TextTokenizer",
    "TokenBudget",
    "check_files",
    "check_splits",
    "refuse_errors",
    "require_trainable",
]
