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
from bertsmith.data.items import ItemColumns, ItemFile, ItemKind, TextItem, read_items
from bertsmith.data.qrels import read_qrels
from bertsmith.data.reading import column_names, read_records
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
from bertsmith.data.texts import read_texts
from bertsmith.data.vectors import Scratch, VectorSink, require_npy, scratch_vectors, vector_file
from bertsmith.data.writing import write_rows

__all__ = [
    "BatchPlan",
    "Broken",
    "CheckReport",
    "Columns",
    "Finding",
    "ItemColumns",
    "ItemFile",
    "ItemKind",
    "Label",
    "LabelKind",
    "Marks",
    "PairKind",
    "Record",
    "Scratch",
    "Sentence",
    "Split",
    "TextItem",
    "TokenBudget",
    "VectorSink",
    "check_files",
    "check_splits",
    "column_names",
    "conll_lines",
    "fold_records",
    "is_conll",
    "plan_batches",
    "plan_inference",
    "read_items",
    "read_qrels",
    "read_records",
    "read_spans_of_row",
    "read_tagged",
    "read_texts",
    "refuse_errors",
    "require_npy",
    "require_trainable",
    "scratch_vectors",
    "sentence_records",
    "split_micro_batches",
    "split_records",
    "stratified_folds",
    "stratified_split",
    "vector_file",
    "write_conll",
    "write_rows",
]
