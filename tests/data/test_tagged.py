"""Marked texts: CoNLL and spans in JSON lines, and what is refused where."""

import json
from pathlib import Path

import pytest

from bertsmith.data import Marks, read_tagged, write_conll
from bertsmith.errors import UserError
from bertsmith.text.tags import Span


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def rows(folder: Path, *values: object) -> Path:
    return write(folder, "train.jsonl", "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def refused(path: Path, **options) -> UserError:
    with pytest.raises(UserError) as caught:
        list(read_tagged(path, **options))
    return caught.value


def test_chinese_characters(tmp_path):
    path = write(tmp_path, "a.conll", "高\tB-NAME\n勇\tE-NAME\n，\tO\n\n1\tO\n9\tO\n年\tO\n")
    first, second = read_tagged(path)
    assert (first.text, first.label, first.where) == ("高勇，", ("NAME",), f"{path}:1")
    assert first.marks == Marks((Span(0, 2, "NAME"),), ((0, 1), (1, 2), (2, 3)), "BIOES")
    assert (second.text, second.label, second.where) == ("19年", (), f"{path}:5")
    assert second.row == {"tokens": ["1", "9", "年"], "tags": ["O", "O", "O"]}


def test_english_words_more_columns_comments_and_document_starts(tmp_path):
    content = (
        "-DOCSTART- -X- -X- O\n\n# sent 1\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n#nba NN B-NP O\n\n\n"
        "New NNP B-NP B-LOC\nYork NNP I-NP I-LOC\n"
    )
    first, second = read_tagged(write(tmp_path, "a.bio", content))
    assert (first.text, first.marks.spans) == ("EU rejects #nba", (Span(0, 2, "ORG"),))
    assert (second.text, second.marks.spans) == ("New York", (Span(0, 8, "LOC"),))


def test_iob1_is_understood(tmp_path):
    path = write(tmp_path, "a.iob", "New I-LOC\nYork I-LOC\n\nRome I-LOC\nParis B-LOC\n")
    assert [record.marks.spans for record in read_tagged(path)] == [
        (Span(0, 8, "LOC"),),
        (Span(0, 4, "LOC"), Span(5, 10, "LOC")),
    ]


def test_broken_tags_are_refused_with_their_line_or_repaired(tmp_path):
    path = write(tmp_path, "a.conll", "a\tB-X\nb\tB-X\n\nc\tO\nd\tI-Y\n")
    error = refused(path)
    assert (error.code, error.where) == ("broken_tags", f"{path}:5")
    assert "I-Y cannot stand at the beginning or after O in BIO (token 'd')" in error.message
    assert "task.broken=repaired" in error.message
    assert [len(record.marks.spans) for record in read_tagged(path, broken="repaired")] == [2, 1]
    assert [bool(record.marks.broken) for record in read_tagged(path, broken="repaired")] == [False, True]
    noted: list[UserError] = []
    assert len(list(read_tagged(path, on_error=noted.append))) == 1
    assert len(noted) == 1


def test_a_rare_broken_sentence_is_read_and_told(tmp_path):
    path = write(tmp_path, "a.conll", "a\tB-X\nb\tB-X\n\n" * 120 + "c\tO\nd\tI-Y\n")
    *_, last = read_tagged(path)
    assert last.marks.spans == (Span(2, 3, "Y"),)
    assert last.marks.broken.startswith(f"{path}:362: I-Y cannot stand")
    assert refused(path, broken="refused").where == f"{path}:362"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a\tO\nb\n", "'b' has no tag"),
        ("a\tO\nb\tXX\n", "'XX' is no tag"),
        ("a\tO\n\tO\n", "begins with a blank column"),
    ],
)
def test_lines_that_cannot_be_read(tmp_path, content, told):
    path = write(tmp_path, "a.conll", content)
    error = refused(path)
    assert (error.code, error.where) == ("bad_tag", f"{path}:2")
    assert told in error.message


def test_empty_file(tmp_path):
    assert refused(write(tmp_path, "a.conll", "\n\n")).code == "empty_file"


def test_without_tags_only_the_tokens_are_read(tmp_path):
    path = write(tmp_path, "a.conll", "New\nYork XX\n")
    (record,) = read_tagged(path, labelled=False)
    assert (record.text, record.label, record.row) == ("New York", None, {"tokens": ["New", "York"]})
    assert record.marks == Marks((), ((0, 3), (4, 8)))


def test_spans_in_json(tmp_path):
    path = rows(
        tmp_path,
        {"id": 1, "text": " 彭小军 said", "spans": [[5, 9, "W"], [0, 4, "PER"], [5, 9, "W"]]},
        {"text": "x", "spans": []},
    )
    first, second = read_tagged(path)
    assert first.marks == Marks((Span(1, 4, "PER"), Span(5, 9, "W")))
    assert first.label == ("PER", "W")
    assert first.row["id"] == 1
    assert (second.label, second.marks) == ((), Marks())


@pytest.mark.parametrize(
    ("spans", "code", "told"),
    [
        ([[0, 9, "A"]], "bad_span", "leaves the text of 5 characters"),
        ([[2, 2, "A"]], "bad_span", "is empty"),
        ([[-1, 2, "A"]], "bad_span", "leaves the text"),
        ([[0, 2]], "bad_span", "must be [start, end, type]"),
        ([[0, 1.5, "A"]], "bad_span", "two whole numbers"),
        ([[0, 1, ""]], "bad_span", "and a type"),
        ([[2, 3, "A"]], "bad_span", "nothing visible"),
        ("none", "bad_span", "must be a list"),
        ([[0, 4, "A"], [1, 2, "B"]], "overlapping_spans", "are nested"),
        ([[0, 2, "A"], [1, 4, "B"]], "overlapping_spans", "overlap"),
    ],
)
def test_impossible_spans_are_refused_with_their_line(tmp_path, spans, code, told):
    path = rows(tmp_path, {"text": "fine", "spans": []}, {"text": "ab cd", "spans": spans})
    error = refused(path)
    assert (error.code, error.where) == (code, f"{path}:2")
    assert told in error.message


def test_missing_spans_are_named(tmp_path):
    error = refused(rows(tmp_path, {"text": "fine", "label": "x"}))
    assert error.code == "missing_column"
    assert "spans" in error.message


def test_conll_written_and_read_again(tmp_path):
    path = tmp_path / "b.conll.gz"
    made = [
        {"tokens": ["New", "York"], "predicted_tags": ["B-LOC", "I-LOC"]},
        {"tokens": ["x"], "predicted_tags": ["O"]},
    ]
    assert write_conll(path, made) == 2
    assert [record.row["tags"] for record in read_tagged(path)] == [["B-LOC", "I-LOC"], ["O"]]
    with pytest.raises(UserError, match="holds a TAB"):
        write_conll(path, [{"tokens": ["a\tb"], "predicted_tags": ["O"]}])
