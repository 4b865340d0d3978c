"""Texts with marked spans: CoNLL files and JSON lines to records."""

from bertsmith.data.tagged.conll import CONLL_SUFFIXES, is_conll, write_conll
from bertsmith.data.tagged.reading import Broken, read_tagged

__all__ = ["CONLL_SUFFIXES", "Broken", "is_conll", "read_tagged", "write_conll"]
