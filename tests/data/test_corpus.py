import gzip
import json
import lzma
import time
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data.corpus import Corpus, Paragraph, inspect, parts
from bertsmith.errors import UserError

TEXT = "第一段\n  second line \n\n\n第二篇\n"
EXPECTED = [Paragraph("第一段", True), Paragraph("second line", False), Paragraph("第二篇", True)]
PACKERS = {"txt": bytes, "gz": gzip.compress, "xz": lzma.compress, "zst": zstandard.compress}


@pytest.mark.parametrize("packing", PACKERS)
def test_every_packing_gives_the_same_paragraphs(tmp_path, packing):
    path = tmp_path / ("corpus.txt" if packing == "txt" else f"corpus.txt.{packing}")
    path.write_bytes(PACKERS[packing](TEXT.encode()))
    assert list(Corpus(paths=(path,)).paragraphs()) == EXPECTED


def test_a_file_begins_a_document_and_a_line_can_be_one(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert list(Corpus(paths=(path, path)).paragraphs()) == EXPECTED * 2
    lines = Corpus(paths=(path,), documents="line").paragraphs()
    assert [paragraph.opens for paragraph in lines] == [True, True, True]


def test_each_text_of_a_data_file_is_a_document(tmp_path):
    path = tmp_path / "train.jsonl"
    rows = [{"text": "一\n二", "text_pair": "三", "label": "a"}, {"text": "四", "text_pair": "五", "label": "b"}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = list(Corpus(paths=(path,)).paragraphs())
    assert found == [Paragraph(text, text in "一四") for text in "一二三四五"]


def test_what_stands_in_excluded_files_is_left_out_and_counted(tmp_path):
    corpus, dev, test = tmp_path / "corpus.txt", tmp_path / "dev.csv", tmp_path / "test.txt"
    corpus.write_text("第一段\nsecond  LINE\n第三段\n\n第四段\n\n第五段\n", encoding="utf-8")
    dev.write_text("text,label\nＳecond line,a\n第一段,b\n", encoding="utf-8")
    test.write_text("第四段\n", encoding="utf-8")
    lost = []
    found = list(Corpus(paths=(corpus,), exclude=(dev, test)).paragraphs(lost.append))
    assert found == [Paragraph("第三段", True), Paragraph("第五段", True)]
    assert [paragraph.text for paragraph in lost] == ["第一段", "second  LINE", "第四段"]
    test.write_text("第五段\n另一段", encoding="utf-8")
    again = list(Corpus(paths=(corpus,), exclude=(dev, test)).paragraphs())
    assert again == [Paragraph("第三段", True), Paragraph("第四段", True)]


def test_files_to_exclude_are_read_before_the_work_begins(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("第一段\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"no\.csv"):
        inspect(Corpus(paths=(corpus,), exclude=(tmp_path / "no.csv",)))
    with pytest.raises(UserError, match="nothing is left to learn from"):
        list(Corpus(paths=(corpus,), exclude=(corpus,)).paragraphs())


def _long_then_broken() -> bytes:
    return ("好的。\n" * 50_000).encode() + "编码坏了".encode("gb18030")


BROKEN = {
    "another encoding": ("今天天气很好，我们去公园。\n".encode("gb18030") * 500, "bad_encoding", "--encoding gb18030"),
    "one wrong byte far in": (_long_then_broken(), "bad_encoding", ":50001"),
    "empty": (b"", "empty_file", "no text"),
    "only blanks": (b" \n\n\t\n" * 1000, "empty_file", "no text"),
    "one giant line": ("字".encode() * 30_000_000, "line_too_long", "line ends been lost"),
    "binary": (b"abc\0def\n" * 10, "nul_byte", "NUL"),
    "packed but not named so": (gzip.compress(b"abc"), "not_text", ".gz"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_corpus_is_reported_in_seconds(tmp_path, kind):
    content, code, said = BROKEN[kind]
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text(TEXT, encoding="utf-8")
    bad.write_bytes(content)
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        inspect(Corpus(paths=(good, bad)))
    assert time.monotonic() - began < 5
    assert (caught.value.code, said in caught.value.message) == (code, True)
    assert "bad.txt" in caught.value.message


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    for name, code in (("corpus.txt", "missing_file"), ("corpus.pdf", "unknown_format"), ("-", "not_a_file")):
        with pytest.raises(UserError) as caught:
            list(Corpus(paths=(tmp_path / name if name != "-" else "-",)).paragraphs())
        assert caught.value.code == code
    with pytest.raises(UserError, match=r"made of \.txt files"):
        inspect(Corpus(paths=(tmp_path / "corpus.md",)))


def test_no_blank_lines_are_noted_not_refused(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("一句话。\n" * 2000, encoding="utf-8")
    (note,) = inspect(Corpus(paths=(path,)))
    assert "no blank line in 2,000 lines" in note
    assert "--set corpus.documents=line" in note
    assert inspect(Corpus(paths=(path,), documents="line")) == []
    path.write_text("一句话。\n\n" * 2000, encoding="utf-8")
    assert inspect(Corpus(paths=(path,))) == []


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=9), st.booleans()), max_size=60), st.integers(1, 30))
def test_parts_keep_order_and_prefer_the_beginnings_of_documents(texts, characters):
    paragraphs = [Paragraph(*text) for text in texts]
    found = list(parts(paragraphs, characters))
    assert [paragraph for part in found for paragraph in part.paragraphs] == paragraphs
    assert [part.number for part in found] == list(range(len(found)))
    for part, after in pairwise(found):
        size = sum(len(paragraph.text) for paragraph in part.paragraphs)
        assert size >= (characters if after.paragraphs[0].opens else 2 * characters)
        assert size < 2 * characters + 9


def test_the_checksum_of_a_part_knows_where_lines_and_documents_end():
    def checksum(*paragraphs):
        return next(parts(paragraphs, 100)).checksum

    one = checksum(Paragraph("ab", True), Paragraph("c", False))
    others = [
        checksum(Paragraph("a", True), Paragraph("bc", False)),
        checksum(Paragraph("ab", True), Paragraph("c", True)),
        checksum(Paragraph("abc", True)),
    ]
    assert one == checksum(Paragraph("ab", True), Paragraph("c", False))
    assert one not in others
