"""Texts alone, a row each; vectors to disk and back."""

import io
from pathlib import Path

import numpy as np
import pytest

from bertsmith.data import column_names, read_texts, require_npy, scratch_vectors, vector_file
from bertsmith.data.record import Columns
from bertsmith.errors import UserError


def test_every_row_has_its_text_blank_or_not(tmp_path):
    table, lines = tmp_path / "a.csv", tmp_path / "a.txt"
    table.write_text("id,text\n1,one\n2,\n3,three\n", encoding="utf-8")
    lines.write_text("\ufeffone\r\n\r\nthree", encoding="utf-8")
    assert list(read_texts(table)) == ["one", "", "three"] == list(read_texts(lines))
    assert list(read_texts(table, Columns(text="id"))) == ["1", "2", "3"]
    assert column_names(table) == ("id", "text")


def test_standard_input(monkeypatch):
    def piped(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))

    piped(b'{"text": "one"}\n{"text": ""}\n')
    assert list(read_texts(Path("-"))) == ["one", ""]
    piped(b"one\n\nthree\n")
    assert list(read_texts(Path("-"), lines=True)) == ["one", "", "three"]


def test_a_file_without_lines(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(UserError, match="holds no lines"):
        list(read_texts(tmp_path / "a.txt"))


@pytest.mark.parametrize("rows", [0, 1, 5, 123456])
def test_vectors_of_a_number_known_at_the_end(tmp_path, rows):
    values = np.arange(rows * 3, dtype=np.float64).reshape(-1, 3)
    with vector_file(tmp_path / "v.npy", 3) as sink:
        for part in np.array_split(values, 3):
            sink.add(part)
    found = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert found.dtype == np.float32
    assert np.array_equal(found, values.astype(np.float32))
    np.save(tmp_path / "by_numpy.npy", values.astype(np.float32))
    assert (tmp_path / "by_numpy.npy").read_bytes() == (tmp_path / "v.npy").read_bytes()


def test_nothing_half_written(tmp_path):
    def broken() -> None:
        with vector_file(tmp_path / "v.npy", 3) as sink:
            sink.add(np.ones((2, 3)))
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_scratch_is_read_again_and_gone(tmp_path):
    with scratch_vectors(tmp_path / "v.npy", 2) as scratch:
        scratch.add(np.ones((3, 2)))
        scratch.add(np.zeros((1, 2)))
        parts = [part.tolist() for part in scratch.parts(rows=3)]
    assert parts == [[[1, 1]] * 3, [[0, 0]]]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["v.csv", "v", "folder.npy"])
def test_only_npy(tmp_path, name):
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(UserError, match=r"written to a \.npy file") as caught:
        require_npy(tmp_path / name)
    assert caught.value.code == "not_npy"
