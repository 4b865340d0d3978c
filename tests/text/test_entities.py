import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import UserError
from bertsmith.text import Tokenizer
from bertsmith.text.entities import EntityLexicon, entity_spans
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

from .samples import NAMES

TOKENIZER = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))


def found(entries, text):
    return [text[start:end] for start, end in EntityLexicon(entries)(text)]


def test_the_longest_entry_wins_from_left_to_right():
    assert found(["上海", "上海市", "市长"], "上海市长在上海") == ["上海市", "上海"]
    assert found(["上海市政府", "上海"], "上海市政策") == ["上海"]


def test_an_entry_inside_a_longer_latin_word_is_not_found():
    assert found(["art", "torch"], "party art PyTorch torch, art1") == ["art", "torch"]
    assert found(["T恤", "Beijing"], "他的T恤在Beijing买") == ["T恤", "Beijing"]
    assert found(["T恤"], "XT恤") == []


def test_single_characters_and_blanks_are_no_entries():
    lexicon = EntityLexicon(["火", " 火锅 ", "", "  "])
    assert len(lexicon) == 1
    assert "火锅" in lexicon
    assert "火" not in lexicon
    assert lexicon("") == lexicon("火") == []


@given(st.lists(st.text("ab火锅", min_size=2, max_size=4), max_size=8), st.text("ab火锅 ", max_size=30))
def test_entities_are_entries_in_order_without_overlap(entries, text):
    spans = EntityLexicon(entries)(text)
    assert all(text[start:end] in {entry.strip() for entry in entries} for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_ranges_of_tokens():
    text = "我在Beijing吃了火锅，unaffable"
    tokenized = TOKENIZER.tokenize([text])[0]
    names = TOKENIZER.tokens(tokenized.token_ids)
    spans = entity_spans(text, tokenized, EntityLexicon(["Beijing", "火锅", "unaffable"]))
    assert [names[start:end] for start, end in spans] == [["beijing"], ["火", "锅"], ["un", "##aff", "##able"]]


def test_an_entity_that_parts_a_token_is_left_out():
    text = "2026年"
    tokenized = TOKENIZER.tokenize([text])[0]
    cut = tokenized.offsets.copy()
    assert cut.tolist() == [[0, 3], [3, 4], [4, 5]]
    assert entity_spans(text, tokenized, EntityLexicon(["6年"])).tolist() == []
    assert entity_spans(text, tokenized, EntityLexicon(["2026年"])).tolist() == [[0, 3]]
    assert entity_spans("", TOKENIZER.tokenize([""])[0], EntityLexicon(["火锅"])).shape == (0, 2)


def test_an_entity_without_tokens_is_left_out():
    text = "火锅\u200b\u200b火锅"
    spans = entity_spans(text, TOKENIZER.tokenize([text])[0], EntityLexicon(["\u200b\u200b", "火锅"]))
    assert spans.tolist() == [[0, 2], [2, 4]]
    assert spans.dtype == np.int32


def test_lists_with_frequencies(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeff火锅 \t 395499\n\n北京\t12\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("天气\r\n", encoding="utf-8")
    lexicon = EntityLexicon.from_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert len(lexicon) == 3
    assert lexicon.fingerprint == EntityLexicon(["天气", "北京", "火锅"]).fingerprint
    assert lexicon.fingerprint != EntityLexicon(["天气", "北京"]).fingerprint


def test_lists_that_cannot_be_used_say_why(tmp_path):
    with pytest.raises(UserError, match=r"missing\.txt: cannot be read"):
        EntityLexicon.from_files([tmp_path / "missing.txt"])
    (tmp_path / "gbk.txt").write_bytes("火锅".encode("gbk"))
    with pytest.raises(UserError, match="is not UTF-8") as refusal:
        EntityLexicon.from_files([tmp_path / "gbk.txt"])
    assert refusal.value.code == "bad_encoding"
    (tmp_path / "empty.txt").write_text("火\n\n", encoding="utf-8")
    with pytest.raises(UserError, match="no entry of two or more characters"):
        EntityLexicon.from_files([tmp_path / "empty.txt"])
