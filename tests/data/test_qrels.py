"""Judgements in the forms that BEIR and TREC write."""

import pytest

from bertsmith.data import read_qrels
from bertsmith.errors import UserError


@pytest.mark.parametrize(
    "content",
    [
        "query_id\tdoc_id\trelevance\nq1\td 1\t1\nq1\td2\t0\n",
        "query-id\tcorpus-id\tscore\nq1\td 1\t1\nq1\td2\t0\n",
        "q1\td 1\t1\n\nq1\td2\t0\n",
    ],
)
def test_three_columns(tmp_path, content):
    path = tmp_path / "qrels.tsv"
    path.write_text(content)
    assert read_qrels(path) == {"q1": {"d 1": 1.0, "d2": 0.0}}


def test_trec(tmp_path):
    path = tmp_path / "qrels.txt"
    path.write_text("q1 0 d1 2\nq2 0 d1 0\n")
    assert read_qrels(path) == {"q1": {"d1": 2.0}, "q2": {"d1": 0.0}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("q1\td1\n", "qrels.tsv:1: 2 columns"),
        ("q1\td1\tyes\n", "relevance 'yes' is no number"),
        ("q1\td1\t1\nq1\td1\t0\n", "qrels.tsv:2: .* judged twice, 1 and 0"),
        ("query_id\tdoc_id\trelevance\n", "no judgements"),
    ],
)
def test_refusals(tmp_path, content, message):
    path = tmp_path / "qrels.tsv"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_qrels(path)
