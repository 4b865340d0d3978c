"""Texts with marked spans: CoNLL files and JSON lines to records."""

from bertsmith.data.tagged.conll import CONLL_SUFFIXES, Sentence, conll_lines, is_conll, write_conll
from bertsmith.data.tagged.reading import Broken, read_tagged, sentence_records
from bertsmith.data.tagged.spans import read_spans_of_row

__all__ = [
    "CONLL_SUFFIXES",
    "Broken",
    "Sentence",
    "conll_lines",
    "is_conll",
    "read_spans_of_row",
    "read_tagged",
    "sentence_records",
    "write_conll",
]
