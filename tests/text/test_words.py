from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import RoFormerTokenizer

from bertsmith.text import ChineseSegmenter, LatinSegmenter, Tokenizer, word_spans
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

from .samples import NAMES, TEXTS, WORD_NAMES, vocab_folder

MIXED = "我在Beijing吃了PyTorch火锅，2026年真的还行！"
CHARACTERS = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))
WORDS = Tokenizer(wordpiece(WORD_NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None), level="word"))


def words(segmenter, text):
    return [text[start:end] for start, end in segmenter(text)]


def test_chinese_words_beside_other_scripts():
    expected = ["我", "在", "Beijing", "吃", "了", "PyTorch", "火锅", "，", "2026", "年", "真的", "还", "行", "！"]
    assert words(ChineseSegmenter(), MIXED) == expected
    assert words(ChineseSegmenter(), "Café T恤 naïve 한국어 x😀y") == ["Café", "T恤", "naïve", "한국어", "x", "😀", "y"]


def test_latin_words():
    assert words(LatinSegmenter(), "我吃 café, don't 2026!") == ["我", "吃", "café", ",", "don", "'", "t", "2026", "!"]


def test_words_of_the_user_come_first():
    text = "我吃了奥利给套餐"
    assert "奥利给" not in words(ChineseSegmenter(hmm=False), text)
    assert "奥利给" in words(ChineseSegmenter(hmm=False, words=("奥利给",)), text)


def test_guessed_words_are_a_choice():
    text = "他来到了网易杭研大厦"
    assert "杭研" in words(ChineseSegmenter(hmm=True), text)
    assert "杭研" not in words(ChineseSegmenter(hmm=False), text)


def whole_words(tokenizer, text, segmenter):
    (made,) = tokenizer.tokenize([text])
    spans = word_spans(text, made, segmenter)
    return [text[made.offsets[first, 0] : made.offsets[last - 1, 1]] for first, last in spans.tolist()]


def test_whole_words_of_a_mixed_text():
    expected = words(ChineseSegmenter(), MIXED)
    assert whole_words(CHARACTERS, MIXED, ChineseSegmenter()) == expected
    assert whole_words(WORDS, MIXED, ChineseSegmenter()) == expected
    assert whole_words(CHARACTERS, "unaffable playing", LatinSegmenter()) == ["unaffable", "playing"]


def test_a_token_across_words_joins_them():
    assert whole_words(WORDS, "今天下雨", LatinSegmenter()) == ["今天", "下雨"]


@pytest.mark.parametrize("tokenizer", [CHARACTERS, WORDS], ids=["characters", "words"])
@pytest.mark.parametrize("segmenter", [ChineseSegmenter(), LatinSegmenter()], ids=lambda made: made.kind)
@settings(max_examples=100, deadline=None)
@given(text=st.one_of(st.text(max_size=30), st.lists(st.sampled_from(TEXTS), max_size=3).map("".join)))
def test_whole_words_cover_every_token_once(tokenizer, segmenter, text):
    (made,) = tokenizer.tokenize([text])
    spans = word_spans(text, made, segmenter)
    assert spans.shape == (len(spans), 2)
    assert (spans[:, 0] < spans[:, 1]).all()
    covered = np.concatenate([np.arange(first, last) for first, last in spans.tolist()] or [np.zeros(0)])
    np.testing.assert_array_equal(covered, np.arange(len(made)))
    places = [(made.offsets[first, 0], made.offsets[last - 1, 1]) for first, last in spans.tolist()]
    assert all(left[1] <= right[0] for left, right in pairwise(places))


def test_word_level_ids_are_those_of_transformers(tmp_path):
    WORDS.save(tmp_path)
    theirs = RoFormerTokenizer.from_pretrained(tmp_path)
    expected = theirs(list(TEXTS), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert [made.token_ids.tolist() for made in WORDS.tokenize(TEXTS)] == expected


def test_word_level_tokens_and_their_places():
    text = "今天买火锅，Café真的还行！\x00明天鑫"
    (made,) = WORDS.tokenize([text])
    tokens = ["今天", "[UNK]", "火锅", "，", "caf", "##e", "真的", "还", "行", "！", "明天", "[UNK]"]
    assert WORDS.tokens(made.token_ids) == tokens
    covered = [text[start:end] for start, end in made.offsets.tolist()]
    assert covered == ["今天", "买", "火锅", "，", "Caf", "é", "真的", "还", "行", "！", "明天", "鑫"]


def test_a_folder_without_words_in_the_vocabulary_stays_at_characters(tmp_path):
    tokenizer = Tokenizer.from_folder(vocab_folder(tmp_path), level="word")
    assert tokenizer.tokens(tokenizer.tokenize(["今天"])[0].token_ids) == ["今", "天"]
