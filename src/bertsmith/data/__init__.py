"""Data files to records: reading, checking, splitting, batching."""

from bertsmith.data.batching import BatchPlan, plan_batches, plan_inference, split_micro_batches
from bertsmith.data.checking import (
    CheckReport,
    Finding,
    TokenBudget,
    check_files,
    check_splits,
    refuse_errors,
    require_trainable,
)
from bertsmith.data.qrels import read_qrels
from bertsmith.data.reading import read_records
from bertsmith.data.record import Columns, Label, LabelKind, Marks, PairKind, Record
from bertsmith.data.splitting import Split, fold_records, split_records, stratified_folds, stratified_split
from bertsmith.data.tagged import (
    Broken,
    Sentence,
    conll_lines,
    is_conll,
    read_spans_of_row,
    read_tagged,
    sentence_records,
    write_conll,
)
from bertsmith.data.writing import write_rows

__all__ = [
    "BatchPlan",
    "Broken",
    "CheckReport",
    "Columns",
    "Finding",
    "Label",
    "LabelKind",
    "Marks",
    "PairKind",
    "Record",
    "Sentence",
    "Split",
    "TokenBudget",
    "check_files",
    "check_splits",
    "conll_lines",
    "fold_records",
    "is_conll",
    "plan_batches",
    "plan_inference",
    "read_qrels",
    "read_records",
    "read_spans_of_row",
    "read_tagged",
    "refuse_errors",
    "require_trainable",
    "sentence_records",
    "split_micro_batches",
    "split_records",
    "stratified_folds",
    "stratified_split",
    "write_conll",
    "write_rows",
]
