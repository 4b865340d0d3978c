"""Files of texts, pairs, triplets and groups: what they hold is told by their columns."""

import json

import pytest

from bertsmith.data import ItemColumns, read_items
from bertsmith.errors import UserError

COLUMNS = ItemColumns()


def table(path, *lines: str):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "lines", "kind", "texts"),
    [
        ("a.csv", ("text", "one", "two"), "texts", [("one",), ("two",)]),
        ("a.csv", ("text,text_pair", "a,b"), "pairs", [("a", "b")]),
        ("a.csv", ("text,text_pair,label", "a,b,3.5"), "scored", [("a", "b")]),
        ("a.csv", ("anchor,positive", "a,b"), "pairs", [("a", "b")]),
        ("a.csv", ("anchor,positive,negative", "a,b,c"), "triplets", [("a", "b", "c")]),
        ("a.tsv", ("anchor\tpositive\tnegative_1\tnegative_2", "a\tb\tc\td"), "triplets", [("a", "b", "c", "d")]),
        ("a.csv", ("text,group", "a,1", "b,2", "c,1"), "groups", [("a", "c"), ("b",)]),
        ("a.jsonl", (json.dumps({"texts": ["a", "b"]}),), "groups", [("a", "b")]),
        ("a.jsonl", (json.dumps({"text": "a", "synonyms": ["b", "c"]}),), "groups", [("a", "b", "c")]),
        ("a.jsonl", (json.dumps({"anchor": "a", "positive": "b", "negative": ["c", "d"]}),), "triplets", None),
        ("a.txt", ("one", "", " two "), "texts", [("one",), ("two",)]),
    ],
)
def test_a_file_tells_what_it_holds(tmp_path, name, lines, kind, texts):
    file = read_items(table(tmp_path / name, *lines), COLUMNS)
    assert file.kind == kind
    assert [item.texts for item in file.items] == (texts or [("a", "b", "c", "d")])
    assert all(f"{name}:" in item.where for item in file.items)


def test_columns_of_other_names(tmp_path):
    columns = ItemColumns.parse("anchor=query,positive=good,negative=bad")
    file = read_items(table(tmp_path / "a.csv", "query,good,bad,bad_2", "a,b,c,d"), columns)
    assert file.items[0].texts == ("a", "b", "c", "d")
    with pytest.raises(UserError, match="anchor=COLUMN"):
        ItemColumns.parse("anker=a")


def test_any_file_gives_single_texts(tmp_path):
    pairs = read_items(table(tmp_path / "a.csv", "text,text_pair,label", "a,b,x"), COLUMNS, wanted="texts")
    groups = read_items(table(tmp_path / "b.jsonl", json.dumps({"texts": ["a", "b"]})), COLUMNS, wanted="texts")
    assert [item.texts for item in pairs.items] == [item.texts for item in groups.items] == [("a",), ("b",)]


def test_labels_without_an_order(tmp_path):
    path = table(tmp_path / "a.csv", "text,text_pair,label", "a,b,entailment", "a,c,neutral")
    assert [item.label for item in read_items(path, COLUMNS, wanted="labelled").items] == ["entailment", "neutral"]
    with pytest.raises(UserError, match=r"a.csv:2: label \"entailment\" is not a finite number"):
        read_items(path, COLUMNS, wanted="scored")


def test_positive_pairs_of_scored_ones(tmp_path):
    path = table(tmp_path / "a.csv", "text,text_pair,label", "a,b,1", "a,c,0", "d,e,1")
    for wanted in ("pairs", "groups"):
        file = read_items(path, COLUMNS, wanted=wanted)
        assert [item.texts for item in file.items] == [("a", "b"), ("d", "e")]
        assert "of 3 pairs, the 2 with a number of 1 or more are positive" in file.notes[0]
    graded = table(tmp_path / "b.csv", "text,text_pair,label", "a,b,4.5", "a,c,2")
    with pytest.raises(UserError, match=r"data.positive_from=4"):
        read_items(graded, COLUMNS, wanted="pairs")
    assert len(read_items(graded, COLUMNS, wanted="pairs", positive_from=4.0).items) == 1
    with pytest.raises(UserError, match="nothing is positive"):
        read_items(graded, COLUMNS, wanted="pairs", positive_from=5.0)


@pytest.mark.parametrize(
    ("lines", "wanted", "message"),
    [
        (("text", "a"), "pairs", "this holds single texts, but the method learns from pairs of texts"),
        (("question,answer", "a,b"), None, r"a.csv:2: the columns are 'question', 'answer', wanted are text"),
        (("anchor,positive,negative", "a,b,"), None, "a.csv:2: column 'negative' holds no visible character"),
        (("text",), None, "the file holds no rows"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, lines, wanted, message):
    with pytest.raises(UserError, match=message):
        read_items(table(tmp_path / "a.csv", *lines), COLUMNS, wanted=wanted)


def test_uneven_negatives_are_refused(tmp_path):
    rows = [{"anchor": "a", "positive": "b", "negative": each} for each in (["c", "d"], ["c"])]
    with pytest.raises(UserError, match=r"a.jsonl:2: 1 negatives, but the rows before have 2"):
        read_items(table(tmp_path / "a.jsonl", *map(json.dumps, rows)), COLUMNS)
