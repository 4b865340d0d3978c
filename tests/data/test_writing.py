import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data import read_records, write_rows
from bertsmith.errors import UserError
from bertsmith.files import json_line

ROWS = [
    {"text": '他说"好"，\n走了', "label": "1", "prediction": "正面", "confidence": 0.5},
    {"text": "a,b", "label": "0", "prediction": "负面", "confidence": 1.0},
]
NAMES = [f"out.{kind}{packed}" for kind in ("csv", "jsonl", "parquet") for packed in ("", ".gz", ".xz", ".zst")]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back(tmp_path, name):
    assert write_rows(tmp_path / name, iter(ROWS)) == 2
    records = list(read_records(tmp_path / name))
    assert [(record.text, record.label) for record in records] == [(row["text"], row["label"]) for row in ROWS]
    assert [list(record.row) for record in records] == [list(row) for row in ROWS]
    assert [float(record.row["confidence"]) for record in records] == [0.5, 1.0]


def test_tsv(tmp_path):
    write_rows(tmp_path / "out.tsv", [{"text": '"a', "label": None}])
    assert (tmp_path / "out.tsv").read_text() == 'text\tlabel\n"a\t\n'


def test_values_that_are_no_text_are_json(tmp_path):
    write_rows(tmp_path / "out.csv", [{"a": True, "b": ["好", 1], "c": None, "d": 1.5}])
    assert (tmp_path / "out.csv").read_text() == 'a,b,c,d\ntrue,"[""好"", 1]",,1.5\n'


def test_equal_rows_give_equal_bytes(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        write_rows(tmp_path / name, ROWS)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"text,label")


def test_standard_output_is_json_lines(capsys):
    write_rows(Path("-"), ROWS)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


@given(st.recursive(st.none() | st.floats(allow_nan=False) | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_json_in_one_line_is_one_line_for_every_reader(value):
    line = json_line(value)
    assert len(line.splitlines()) == 1
    assert json.loads(line) == value


def test_a_text_with_another_alphabet_s_line_end_stays_one_row(tmp_path):
    text = "one\u2028two\u0085three\u2029好"
    write_rows(tmp_path / "out.jsonl", [{"text": text}])
    (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"text": text}
    (record,) = read_records(tmp_path / "out.jsonl", labels="none")
    assert record.text == text


@pytest.mark.parametrize(
    ("name", "rows", "code"),
    [
        ("out.tsv", [{"text": "a\tb"}], "unwritable_cell"),
        ("out.csv", [{"text": "a"}, {"text": "b", "more": 1}], "uneven_rows"),
        ("out.parquet", [{"a": "x"}, {"a": 1}], "mixed_types"),
        ("out.docx", ROWS, "unknown_format"),
    ],
)
def test_refusals_leave_nothing_behind(tmp_path, name, rows, code):
    with pytest.raises(UserError) as caught:
        write_rows(tmp_path / name, rows)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.jsonl"
    write_rows(path, ROWS[:1])
    before = path.read_bytes()

    def broken():
        yield ROWS[1]
        raise UserError("train.csv:3: broken")

    with pytest.raises(UserError, match="broken"):
        write_rows(path, broken())
    assert path.read_bytes() == before


def test_full_disk(tmp_path):
    full = tmp_path / "out.jsonl"
    full.symlink_to("/dev/full")
    with pytest.raises(UserError, match="disk is full"):
        write_rows(full, ROWS)
