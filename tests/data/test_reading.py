import codecs
import gzip
import io
import json
import lzma
import sys
from pathlib import Path

import pytest
import zstandard

from bertsmith.data import Columns, read_records
from bertsmith.errors import UserError

PACKERS = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
ROWS = [("好评，很喜欢", "1"), ('She said "no", twice', "0"), ("two\nlines", "1")]
CSV = 'text,label\r\n好评，很喜欢,1\r\n"She said ""no"", twice",0\r\n"two\nlines",1\r\n'


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, **options) -> UserError:
    with pytest.raises(UserError) as caught:
        list(read_records(path, **options))
    return caught.value


@pytest.mark.parametrize("packed", PACKERS)
def test_csv_plain_and_compressed(tmp_path, packed):
    records = list(read_records(write(tmp_path, f"train.csv{packed}", PACKERS[packed](CSV.encode()))))
    assert [(record.text, record.label) for record in records] == ROWS
    assert [record.where.rsplit(":", 1)[1] for record in records] == ["2", "3", "4"]


@pytest.mark.parametrize("packed", PACKERS)
def test_jsonl_keeps_every_field_in_order(tmp_path, packed):
    lines = '{"id": 7, "text": "好", "label": 1, "more": [1]}\n\n{"label": "1", "text": "坏"}\n'
    records = list(read_records(write(tmp_path, f"a.jsonl{packed}", PACKERS[packed](lines.encode()))))
    assert [record.label for record in records] == ["1", "1"]
    assert list(records[0].row) == ["id", "text", "label", "more"]
    assert records[0].row["label"] == 1
    assert records[1].where.endswith(f"a.jsonl{packed}:3")


def test_tsv_has_no_quote_character(tmp_path):
    [record] = read_records(write(tmp_path, "a.tsv", 'text\tlabel\r\n"half a quote\t1\r\n'))
    assert record.text == '"half a quote'
    assert record.label == "1"


@pytest.mark.parametrize("packed", PACKERS)
def test_parquet(tmp_path, packed):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["好", "坏"], "label": [1, 0]}), buffer)
    records = list(read_records(write(tmp_path, f"a.parquet{packed}", PACKERS[packed](buffer.getvalue()))))
    assert [(record.text, record.label) for record in records] == [("好", "1"), ("坏", "0")]


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    path = write(tmp_path, "a.parquet", b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "bertsmith[parquet]" in refused(path).message


def test_standard_input_is_json_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO('{"text": "好"}\n'.encode())))
    [record] = read_records(Path("-"), labels="none")
    assert (record.text, record.where) == ("好", "stdin:1")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "gb18030", "big5"])
def test_other_encodings(tmp_path, encoding):
    path = write(tmp_path, "a.csv", "text,label\n大家好,1\n".encode(encoding))
    [record] = read_records(path, encoding="utf-8" if encoding == "utf-8-sig" else encoding)
    assert (record.text, record.label) == ("大家好", "1")


def test_characters_across_chunks_survive(tmp_path, monkeypatch):
    monkeypatch.setattr("bertsmith.data.compression.CHUNK", 5)
    text = "一二三四五六七八九十😀é"
    [record] = read_records(write(tmp_path, "a.csv", f"\ufefftext,label\n{text},1\n"))
    assert record.text == text


def test_columns_and_pairs(tmp_path):
    path = write(tmp_path, "a.csv", "s1,s2,score\n一,二,3.5\n")
    columns = Columns.parse("text=s1, text_pair=s2,label=score")
    [record] = read_records(path, columns, labels="number", pairs="required")
    assert (record.text, record.text_pair, record.label) == ("一", "二", 3.5)
    [record] = read_records(path, columns, labels="none", pairs="ignored")
    assert (record.text_pair, record.label) == (None, None)
    assert record.row == {"s1": "一", "s2": "二", "score": "3.5"}


@pytest.mark.parametrize("spec", ["text", "text=", "words=a", "text=a,text=b"])
def test_bad_columns(spec):
    with pytest.raises(UserError, match="text=COLUMN"):
        Columns.parse(spec)


@pytest.mark.parametrize(
    ("value", "label"),
    [("1", "1"), (1, "1"), (1.0, "1"), (0.5, "0.5"), (True, "true"), (False, "false"), ("1.0", "1.0")],
)
def test_single_labels_are_names(tmp_path, value, label):
    path = write(tmp_path, "a.jsonl", json.dumps({"text": "x", "label": value}))
    assert [record.label for record in read_records(path)] == [label]


@pytest.mark.parametrize(
    ("value", "labels"),
    [(["a", 2, "a"], ("a", "2")), ("a|b", ("a", "b")), ("", ()), ([], ()), ("a", ("a",)), (" a | b ", ("a", "b"))],
)
def test_several_labels(tmp_path, value, labels):
    path = write(tmp_path, "a.jsonl", json.dumps({"text": "x", "label": value}))
    assert [record.label for record in read_records(path, labels="several")] == [labels]


BAD_FILES = {
    # name: (file name, content, code, what the message says)
    "empty": ("train.csv", "", "empty_file", ["no rows"]),
    "header only": ("train.csv", "text,label\n", "empty_file", ["no rows"]),
    "empty gz": ("train.csv.gz", b"", "empty_file", ["no rows"]),
    "missing column": ("train.csv", "txt,label\n好,1\n", "missing_column", ["'txt', 'label'", "--columns text=txt"]),
    "semicolons": ("train.csv", "text;label\n好;1\n", "missing_column", ["separated by ';'"]),
    "column twice": ("train.csv", "text,text\n好,1\n", "duplicate_column", ["train.csv:1:", "'text'"]),
    "ragged": ("train.csv", 'text,label\n"a\nb",1\na,b,1\n', "ragged_row", ["train.csv:4:", "3 fields", "has 2"]),
    "ragged tsv": ("train.tsv", "text\tlabel\na\n", "ragged_row", ["train.tsv:2:", "1 field,", "TAB"]),
    "open quote": ("train.csv", 'text,label\na,1\n"b,1\nc,1\n', "broken_csv", ["train.csv:3:", "never closed"]),
    "text after quote": ("train.csv", 'text,label\n"a"b,1\n', "broken_csv", ["train.csv:2:", "twice"]),
    "endless quote": (
        "train.csv",
        'text,label\n"' + "一二三四五六七八九\n" * 150_000,
        "broken_csv",
        ["train.csv:2:", "1,000,000"],
    ),
    "old line ends": ("train.csv", "text,label\ra,1\rb,0\r", "broken_csv", ["carriage return"]),
    "NUL": ("train.csv", "text,label\na,1\nb\0,1\n", "nul_byte", ["train.csv:3:", "NUL"]),
    "broken JSON": ("a.jsonl", '{"text": "a", "label": 1}\n{"text": x}\n', "broken_json", ["a.jsonl:2:", "column 10"]),
    "no object": ("a.jsonl", "[1, 2]\n", "broken_json", ["a.jsonl:1:", "[1, 2]"]),
    "nested": ("a.jsonl", "[" * 100_000, "broken_json", ["nested"]),
    "huge number": ("a.jsonl", '{"text": "a", "label": ' + "9" * 5000 + "}", "broken_json", ["a.jsonl:1:"]),
    "lone surrogate": ("a.jsonl", '{"text": "\\ud83d", "label": 1}', "broken_json", ["surrogate"]),
    "number for text": ("a.jsonl", '{"text": 12, "label": 1}', "not_text", ["a.jsonl:1:", "found 12"]),
    "null for text": ("a.jsonl", '{"text": null, "label": 1}', "not_text", ["found null"]),
    "spaces": ("train.csv", "text,label\na,1\n \u3000\u200b ,1\n", "blank_text", ["train.csv:3:", "no visible"]),
    "no label": ("train.csv", "text,label\na,1\nb,\n", "missing_label", ["train.csv:3:", "label is missing"]),
    "null label": ("a.jsonl", '{"text": "a", "label": null}', "missing_label", ["a.jsonl:1:"]),
    "many labels": ("a.jsonl", '{"text": "a", "label": ["x"]}', "bad_label", ['["x"]', "multilabel"]),
    "broken UTF-8": (
        "train.csv",
        b"text,label\nabc,1\nd\xe9f,1\n",
        "bad_encoding",
        ["train.csv:3:", "0xe9", "offset 18"],
    ),
    "cut UTF-8": ("train.csv", "text,label\n好,1\n坏".encode()[:-1], "bad_encoding", ["train.csv:3:", "0xe5"]),
    "GB18030": (
        "train.csv",
        "text,label\n这个商品很好，我很喜欢,1\n".encode("gb18030"),
        "bad_encoding",
        ["train.csv:2:", "GB18030", "--encoding gb18030"],
    ),
    "UTF-16": ("train.csv", "text,label\n好,1\n".encode("utf-16"), "bad_encoding", ["--encoding utf-16"]),
    "UTF-32": ("train.csv", codecs.BOM_UTF32_LE + b"a\0\0\0", "bad_encoding", ["--encoding utf-32"]),
    "gzip without name": ("train.csv", gzip.compress(b"text,label\n"), "not_text", [".gz"]),
    "workbook": ("train.csv", b"PK\x03\x04....", "not_text", ["Excel"]),
    "cut gz": ("train.csv.gz", gzip.compress(CSV.encode())[:-9], "damaged_file", ["train.csv.gz", "cut short"]),
    "cut xz": ("train.csv.xz", lzma.compress(CSV.encode())[:-9], "damaged_file", ["cut short"]),
    "cut zst": ("train.csv.zst", PACKERS[".zst"](CSV.encode())[:-9], "damaged_file", ["cut short"]),
    "no gz": ("train.csv.gz", CSV, "damaged_file", ["damaged"]),
    "no xz": ("train.csv.xz", CSV, "damaged_file", ["damaged"]),
    "no zst": ("train.csv.zst", CSV, "damaged_file", ["damaged"]),
    "no parquet": ("train.parquet", CSV, "damaged_file", ["Parquet"]),
    "workbook by name": ("train.xlsx", b"PK", "unknown_format", [".csv", ".parquet", "CSV UTF-8"]),
    "no extension": ("train", b"", "unknown_format", [".jsonl", "without an extension"]),
    "one huge line": ("train.csv", "text,label\n" + "好" * 3_500_000, "line_too_long", ["train.csv:2:", "1,000,000"]),
    "one huge JSON line": ("a.jsonl", '{"text": "' + "x" * 10_000_000, "line_too_long", ["a.jsonl:1:"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_gets_one_clear_message(tmp_path, case):
    name, content, code, parts = BAD_FILES[case]
    error = refused(write(tmp_path, name, content))
    assert error.code == code, error.message
    assert "\n" not in error.message
    assert error.where
    for part in parts:
        assert part in error.message


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "3,5", "much", "1e999"])
def test_scores_are_finite_numbers(tmp_path, value):
    error = refused(write(tmp_path, "a.tsv", f"text\tlabel\nx\t1\ny\t{value}\n"), labels="number")
    assert error.code == "bad_score"
    assert "a.tsv:3:" in error.message
    assert value in error.message


@pytest.mark.parametrize("value", ["NaN", "true", "[1]", "null"])
def test_json_scores_are_finite_numbers(tmp_path, value):
    error = refused(write(tmp_path, "a.jsonl", f'{{"text": "x", "label": {value}}}'), labels="number")
    assert error.code in ("bad_score", "missing_label")


def test_one_broken_byte_in_a_chinese_file_is_not_called_gb18030(tmp_path):
    content = ("text,label\n" + "这个商品很好,1\n" * 50).encode() + b"\xff,1\n"
    error = refused(write(tmp_path, "a.csv", content))
    assert "a.csv:52:" in error.message
    assert "looks like" not in error.message


def test_offset_counts_from_the_start_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("bertsmith.data.compression.CHUNK", 7)
    content = "text,label\n好好好,1\n".encode()
    error = refused(write(tmp_path, "a.csv", content + b"\xffx,1\n"))
    assert f"offset {len(content)} " in error.message
    assert "a.csv:3:" in error.message


def test_wrong_encoding_option(tmp_path):
    path = write(tmp_path, "a.csv", CSV)
    assert "latin-9000" in refused(path, encoding="latin-9000").message
    assert refused(path, encoding="base64").code == "bad_encoding_name"
    assert "not ASCII" in refused(path, encoding="ascii").message


def test_missing_file_shows_near_names(tmp_path):
    write(tmp_path, "train.csv", CSV)
    assert "train.csv" in refused(tmp_path / "trian.csv").message.split("such file")[1]
    assert "does not exist either" in refused(tmp_path / "nowhere" / "a.csv").message


def test_folder_instead_of_file(tmp_path):
    folder = tmp_path / "set.csv"
    folder.mkdir()
    write(folder, "train.csv", CSV)
    error = refused(folder)
    assert error.code == "not_a_file"
    assert "train.csv" in error.message


def test_missing_pair_column(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\nx,1\n")
    assert [record.text_pair for record in read_records(path)] == [None]
    error = refused(path, pairs="required")
    assert error.code == "missing_column"
    assert "text_pair=" not in error.message, "a column in use is no second text"
    assert "text_pair" in refused(path, pairs="required").message
    assert refused(path, columns=Columns(text_pair="second")).code == "missing_column"


def test_problems_of_rows_can_be_gathered(tmp_path):
    lines = [
        '{"text": "a", "label": 1}',
        "{",
        '{"text": " ", "label": 1}',
        '{"text": "b"}',
        '{"text": "c", "label": 2}',
    ]
    problems: list[UserError] = []
    records = list(read_records(write(tmp_path, "a.jsonl", "\n".join(lines)), on_error=problems.append))
    assert [record.text for record in records] == ["a", "c"]
    assert [error.code for error in problems] == ["broken_json", "blank_text", "missing_column"]
