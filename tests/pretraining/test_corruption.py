from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bertsmith.batch import Example
from bertsmith.config import parse_config
from bertsmith.errors import UserError
from bertsmith.pretraining.corruption import Corruption, rng_for
from bertsmith.pretraining.lengths import Geometric, Length, Ngrams, One
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.replacement import Replace, degraded_share
from bertsmith.pretraining.selection import Select
from bertsmith.pretraining.units import UnitKind, units_of
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text import ChineseSegmenter, Tokenizer, word_spans
from bertsmith.text.similar import SimilarWords
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

from ..text.samples import NAMES as MIXED_NAMES
from .mixed_passages import NAMES, TOKENIZER, VOCABULARY, mixed_text, pair_of, passage_of

MASK, SEP, UNK = TOKENIZER.special.mask, TOKENIZER.special.sep, TOKENIZER.special.unk
LENGTHS = get_args(get_args(Length)[0])
EVERY = [
    Corruption(select=Select(rate=0.3, units=units, length=length()), replace=Replace(each=each))
    for units, length, each in product(get_args(UnitKind), LENGTHS, ("token", "unit", "span"))
]
SIMILAR = SimilarWords({"火锅": ["酒店", "医院"], "beijing": ["running"], "好吃": ["喜欢"]}).in_tokens(TOKENIZER)


def name_of(corruption):
    return f"{corruption.select.units}-{corruption.select.length.kind}-{corruption.replace.each}"


def corrupt(corruption, passage, row=0, similar=None):
    return corruption.corrupt(passage, VOCABULARY, rng_for(0, 0, row), similar)


def names_of(passage, kind, vocabulary=VOCABULARY):
    units = units_of(passage, kind, vocabulary)
    names = TOKENIZER.tokens(passage.example.token_ids)
    return ["".join(names[start:end]).replace("##", "") for start, end in zip(units.starts, units.ends, strict=True)]


@pytest.mark.parametrize("corruption", EVERY, ids=name_of)
@settings(max_examples=15)
@given(words=st.integers(0, 40), second=st.integers(0, 20), seed=st.integers(0, 1000))
def test_whatever_the_text(corruption, words, second, seed):
    passage = pair_of(mixed_text(words, seed), mixed_text(second, seed + 1))
    tokens = passage.example.token_ids
    result = corrupt(corruption, passage, seed)
    assert (np.diff(result.targets) > 0).all()
    assert (len(result.targets) > 0) == (words + second > 0)
    assert set(result.targets.tolist()) <= {place for start, end in passage.words for place in range(start, end)}
    assert (result.labels == tokens[result.targets]).all()
    assert result.token_ids.dtype == tokens.dtype
    rest = np.delete(np.arange(len(tokens)), result.targets)
    assert (result.token_ids[rest] == tokens[rest]).all()
    assert [place for start, end in result.spans for place in range(start, end)] == result.targets.tolist()
    assert sum(result.counts.values()) == len(result.targets)


@pytest.mark.parametrize("corruption", EVERY, ids=name_of)
def test_texts_without_units_stay_as_they_are(corruption):
    for text in ("", "字字字"):
        passage = passage_of(text)
        result = corrupt(corruption, passage)
        assert len(result.targets) == len(result.labels) == len(result.spans) == len(result.outcomes) == 0
        assert (result.token_ids == passage.example.token_ids).all()
        assert set(result.counts.values()) == {0}


@pytest.mark.parametrize("corruption", EVERY, ids=name_of)
def test_a_text_of_one_word(corruption):
    result = corrupt(corruption, passage_of("unbelievable"))
    size = len(result.token_ids) - 2
    cut = corruption.select.units == "tokens" or corruption.select.length.kind == "geometric"
    assert 1 <= len(result.targets) <= size
    assert cut or len(result.targets) == size


@pytest.mark.parametrize("length", LENGTHS, ids=lambda length: length.__name__)
@pytest.mark.parametrize("units", get_args(UnitKind))
def test_a_budget_of_the_whole_text(units, length):
    passage = passage_of(mixed_text(30, seed=4))
    everything = Select(rate=1, units=units, length=length())
    chosen = everything.choose(passage, VOCABULARY, rng_for(0, 0, 0))
    if length.model_fields["kind"].default != "repeated":
        assert chosen.places.tolist() == list(range(1, len(passage) - 1))


def test_a_text_shorter_than_a_span():
    select = Select(units="words", length=Ngrams(shares=(0, 0, 0, 1)), rate=1)
    chosen = select.choose(passage_of("火锅好吃"), VOCABULARY, rng_for(0, 0, 0))
    assert chosen.places.tolist() == [1, 2, 3, 4]
    long = Select(units="words", length=Geometric(stop=0.01, longest=100), rate=0.5, budget="ceiling")
    assert len(long.choose(passage_of("火锅好吃"), VOCABULARY, rng_for(0, 0, 0)).places) == 2


def test_at_most_so_many():
    passage = passage_of(mixed_text(100, seed=2))
    assert len(Select(most=5).choose(passage, VOCABULARY, rng_for(0, 0, 0)).places) == 5


def test_units_of_a_mixed_text():
    passage = passage_of("我在beijing，人工智能公司的unbelievable火锅")
    pieces = ["我", "在", "bei", "j", "ing", "，", *"人工智能公司的", "un", *"believ", "able", *"火锅"]
    assert names_of(passage, "tokens") == pieces
    assert names_of(passage, "characters") == ["我", "在", "beijing", "，", *"人工智能公司的", "unbelievable", *"火锅"]
    assert names_of(passage, "words") == ["我", "在", "beijing", "，", "人工智能", "公司", "的", "unbelievable", "火锅"]
    assert names_of(passage, "entities") == ["我", "在", "beijing", "，", "人工智能公司", "的", "unbelievable", "火锅"]


def test_whole_words_of_a_mixed_text_are_hidden_whole():
    text = "我在Beijing吃了PyTorch火锅，2026年真的还行！"
    tokenizer = Tokenizer(wordpiece(MIXED_NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))
    tokenized = tokenizer.tokenize([text])[0]
    words = word_spans(text, tokenized, ChineseSegmenter()) + 1
    passage = Passage(tokenizer.assemble(tokenized.token_ids), words, words[:0])
    corruption = Corruption(select=Select(units="words", rate=0.3), replace=Replace(mask=1, random=0, same=0))
    hidden = set()
    for row in range(100):
        result = corruption.corrupt(passage, VocabularyFacts.from_tokenizer(tokenizer), rng_for(0, 0, row))
        masked = result.token_ids == tokenizer.special.mask
        whole = [(start, end) for start, end in words.tolist() if masked[start:end].any()]
        assert all(masked[start:end].all() for start, end in whole)
        hidden |= {"".join(tokenizer.tokens(passage.example.token_ids[start:end])) for start, end in whole}
    latin = {"beijing", "py##torch", "202##6"}
    assert hidden == {"我", "在", "吃", "了", "火锅", "，", "年", "真的", "还", "行", "！"} | latin


def test_an_entity_may_cut_words():
    words, entities = np.array([[1, 4], [4, 7], [7, 8]]), np.array([[2, 5]])
    ids = TOKENIZER.assemble(np.array([VOCABULARY.random_ids[0]] * 7)).token_ids
    units = units_of(Passage(Example(ids, np.zeros_like(ids)), words, entities), "entities", VOCABULARY)
    assert list(zip(units.starts.tolist(), units.ends.tolist(), strict=True)) == [(1, 2), (2, 5), (5, 7), (7, 8)]


def test_unknown_tokens_are_never_asked_for():
    passage = passage_of("我吃字火锅")
    assert UNK in passage.example.token_ids
    for kind in get_args(UnitKind):
        assert "[UNK]" not in "".join(names_of(passage, kind))


def test_a_separator_counted_as_a_word_can_be_asked_for():
    passage = passage_of("火锅")
    ended = Passage(passage.example, np.concatenate([passage.words, [[3, 4]]]), passage.entities)
    chosen = Select(rate=1, units="words").choose(ended, VOCABULARY, rng_for(0, 0, 0))
    assert passage.example.token_ids[chosen.places].tolist()[-1] == SEP


def test_spans_never_cross_a_separator():
    passage = pair_of("火锅好吃", "老师喜欢音乐")
    for row in range(50):
        for length in (Geometric(stop=0.1), Ngrams(shares=(0, 0, 1))):
            chosen = Select(rate=0.6, units="words", length=length).choose(passage, VOCABULARY, rng_for(0, 0, row))
            assert 5 not in chosen.places


def test_groups():
    passage = passage_of("火锅好吃，beijing")
    chosen = Select(rate=1, units="words").choose(passage, VOCABULARY, rng_for(0, 0, 0))
    assert chosen.groups("token").tolist() == list(range(8))
    assert chosen.groups("unit").tolist() == [0, 0, 1, 1, 2, 3, 3, 3]
    assert chosen.groups("span").tolist() == [0] * 8
    assert chosen.spans.tolist() == [[1, 9]]


def test_similar_words_have_as_many_tokens():
    replace = Replace(mask=0, random=0, same=0, similar=1, each="unit")
    corruption = Corruption(select=Select(rate=1, units="words"), replace=replace)
    seen = set()
    for row in range(20):
        result = corrupt(corruption, passage_of("火锅好吃"), row, SIMILAR)
        seen.add("".join(TOKENIZER.tokens(result.token_ids[1:-1])))
        assert result.counts == {"mask": 0, "random": 0, "same": 0, "similar": 4, "degraded": 0}
    assert seen == {"酒店喜欢", "医院喜欢"}


def test_a_word_without_a_similar_one_gets_random_tokens_and_is_counted():
    replace = Replace(mask=0, random=0, same=0, similar=1, each="unit")
    corruption = Corruption(select=Select(rate=1, units="words"), replace=replace)
    result = corrupt(corruption, passage_of("火锅老师"), 0, SIMILAR)
    assert result.counts == {"mask": 0, "random": 0, "same": 0, "similar": 2, "degraded": 2}
    assert degraded_share(result.counts) == 0.5
    assert degraded_share(dict.fromkeys(result.counts, 0)) == 0
    assert set(result.token_ids[3:5].tolist()) <= set(VOCABULARY.random_ids.tolist())


def test_no_similar_words_at_all_is_refused_unless_asked_for():
    replace = Replace(mask=0, similar=0.8, each="unit")
    with pytest.raises(UserError, match="without_similar=random") as refusal:
        corrupt(Corruption(replace=replace), passage_of("火锅老师"))
    assert refusal.value.code == "no_similar_words"
    asked = Corruption(select=Select(rate=1), replace=replace.but(without_similar="random"))
    counts = corrupt(asked, passage_of(mixed_text(200, seed=1))).counts
    assert counts["similar"] == 0
    assert counts["degraded"] > 0.7 * sum(counts.values())


def test_a_vocabulary_without_mask_is_refused_only_where_masks_are_needed():
    special = TOKENIZER.special
    facts = VocabularyFacts(
        vocab_size=VOCABULARY.vocab_size,
        special_ids=special.ids() - {special.mask},
        mask=None,
        random_ids=VOCABULARY.random_ids,
        untouchable=VOCABULARY.untouchable,
        han=VOCABULARY.han,
    )
    with pytest.raises(UserError, match="no mask token") as refusal:
        Corruption().corrupt(passage_of("火锅"), facts, rng_for(0, 0, 0))
    assert refusal.value.code == "no_mask_token"
    same = Corruption(select=Select(rate=1), replace=Replace(mask=0, random=0, same=1))
    assert same.corrupt(passage_of("火锅"), facts, rng_for(0, 0, 0)).targets.tolist() == [1, 2]


def test_facts_of_a_vocabulary():
    names = ("[PAD]", "[unused1]", "[UNK]", "", "[CLS]", "[SEP]", "[MASK]", "<unused2>", "火", "##锅", "ab", "[", " ")
    tokenizer = Tokenizer(wordpiece(names, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))
    facts = VocabularyFacts.from_tokenizer(tokenizer)
    assert facts.vocab_size == len(names)
    assert facts.mask == 6
    assert facts.random_ids.tolist() == [8, 9, 10, 11]
    assert np.flatnonzero(facts.han).tolist() == [8, 9]
    assert np.flatnonzero(facts.untouchable).tolist() == [0, 2, 4, 6]
    assert len(VOCABULARY.random_ids) == len(NAMES) - 7


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"replace": {"mask": 0.8, "random": 0.3}}, "must be 1"),
        ({"select": {"length": {"kind": "ngrams", "shares": []}}}, "at least one above 0"),
        ({"select": {"length": {"kind": "ngrams", "shares": [0.5, -0.1]}}}, "none negative"),
        ({"select": {"rate": 0}}, "greater than 0"),
        ({"select": {"length": {"kind": "geometric", "stop": 0}}}, "greater than 0"),
        ({"select": {"length": {"kind": "poisson"}}}, "geometric"),
    ],
)
def test_settings_that_make_no_sense(values, complaint):
    with pytest.raises(UserError, match=complaint):
        parse_config(Corruption, values)


def test_configs_are_read_back_as_written():
    for corruption in EVERY:
        assert parse_config(Corruption, corruption.model_dump()) == corruption
    with pytest.raises(ValidationError):
        One(longest=3)
