"""Judgements of a search: which documents are relevant to which query."""

import math
from pathlib import Path

from bertsmith.data.compression import read_chunks
from bertsmith.data.decoding import TextLines
from bertsmith.data.record import refusal

_HEADERS = {"query_id", "query-id", "qid", "query"}


def read_qrels(path: Path, *, encoding: str = "utf-8") -> dict[str, dict[str, float]]:
    """Read query -> document -> relevance.

    Three columns (query, document, relevance) with or without a header, as in BEIR, or the four of
    TREC (query, ignored, document, relevance); separated by TABs or blanks.

    Raises:
        UserError: the file is missing or empty, a line has other columns, a relevance is no number, or a pair
            is judged twice and differently.
    """
    found: dict[str, dict[str, float]] = {}
    lines = TextLines(read_chunks(path), str(path), encoding)
    for line in lines:
        cells = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or (lines.number == 1 and cells[0].strip().lower() in _HEADERS):
            continue
        if len(cells) not in (3, 4):
            what = f"{len(cells)} columns; a judgement has query, document, relevance (in TREC's files a 0 between)"
            raise refusal(lines.place(), what, "bad_qrels")
        query, document = cells[0].strip(), cells[-2].strip()
        grade = _grade(cells[-1], lines.place())
        if found.setdefault(query, {}).setdefault(document, grade) != grade:
            what = f"query {query} and document {document} are judged twice, {found[query][document]:g} and {grade:g}"
            raise refusal(lines.place(), what, "bad_qrels")
    if not found:
        raise refusal(str(path), "the file holds no judgements", "empty_file")
    return found


def _grade(cell: str, where: str) -> float:
    try:
        grade = float(cell)
    except ValueError:
        grade = math.nan
    if not math.isfinite(grade):
        raise refusal(where, f"relevance {cell.strip()!r} is no number", "bad_qrels")
    return grade
