"""Vocabularies pruned and extended: kept texts keep their tokens, here and in transformers."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bertsmith.errors import UserError
from bertsmith.text import Tokenizer, count_tokens, extend_vocabulary, prune_vocabulary
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

from .samples import NAMES, TEXTS, WORD_NAMES, vocab_folder

UNCASED = bert_normalizer(lower_case=True, strip_accents=None)
LOWER = Tokenizer(wordpiece(NAMES, normalizer=UNCASED))
CASED = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=False, strip_accents=None)))
WORD_LEVEL = Tokenizer(wordpiece(WORD_NAMES, normalizer=UNCASED, level="word"))
SHUFFLED = Tokenizer(wordpiece(NAMES[::-1], normalizer=UNCASED))
TWICE = Tokenizer(wordpiece((*NAMES[:40], "", "的", *NAMES[40:]), normalizer=UNCASED))
ALL = {"lower": LOWER, "cased": CASED, "words": WORD_LEVEL, "shuffled": SHUFFLED, "twice": TWICE}
PARTS = [
    "今天天气",
    "火锅",
    "真的",
    "beijing",
    "PyTorch",
    " ",
    "the",
    "caféing",
    "，",
    "2026",
    "unable",
    "😡",
    "q",
    "我",
]


def names_of(tokenizer: Tokenizer, text: str) -> list[str]:
    (made,) = tokenizer.tokenize([text])
    return tokenizer.tokens(made.token_ids)


@pytest.fixture(params=ALL.values(), ids=ALL)
def tokenizer(request) -> Tokenizer:
    return request.param


def test_counts_are_those_of_the_tokens(tokenizer):
    counts = count_tokens((text for text in TEXTS * 300), tokenizer)
    expected = np.zeros(tokenizer.vocab_size, dtype=int)
    for made in tokenizer.tokenize(TEXTS):
        for number in made.token_ids:
            expected[number] += 300
    assert counts.tolist() == expected.tolist()
    assert not count_tokens([], tokenizer).any()


def test_pruned_holds_what_occurs_and_the_special_tokens(tokenizer):
    counts = count_tokens(TEXTS, tokenizer)
    pruned, kept = prune_vocabulary(tokenizer, counts)
    assert kept.tolist() == sorted({*np.flatnonzero(counts).tolist(), *tokenizer.special_ids})
    assert pruned.vocab_size == len(kept) < tokenizer.vocab_size
    assert pruned.tokens(range(len(kept))) == tokenizer.tokens(kept)
    for role, number in dict(pruned.special).items():
        assert kept[number] == dict(tokenizer.special)[role]


@settings(max_examples=100)
@given(data=st.data())
@pytest.mark.parametrize("name", ALL)
def test_texts_of_kept_tokens_keep_them(name, data):
    tokenizer = ALL[name]
    seen = data.draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=8))
    text = "".join(data.draw(st.lists(st.sampled_from([*seen, " ", "，"]), max_size=8)))
    pruned, kept = prune_vocabulary(tokenizer, count_tokens(seen, tokenizer))
    (before,), (after,) = tokenizer.tokenize([text]), pruned.tokenize([text])
    if np.isin(before.token_ids, kept).all() and tokenizer.special.unk not in before.token_ids:
        assert kept[after.token_ids].tolist() == before.token_ids.tolist()
        assert after.offsets.tolist() == before.offsets.tolist()


def test_rare_tokens_go(tokenizer):
    counts = count_tokens(TEXTS, tokenizer)
    _, kept = prune_vocabulary(tokenizer, counts, at_least=3)
    assert set(kept) == set(np.flatnonzero(counts >= 3)) | tokenizer.special_ids


def test_special_tokens_stand_where_they_stood(tokenizer):
    pruned, kept = prune_vocabulary(tokenizer, count_tokens(TEXTS, tokenizer))
    for second in (None, TEXTS[1]):
        pair = [made.token_ids for made in tokenizer.tokenize([TEXTS[0], *([second] if second else [])])]
        again = [made.token_ids for made in pruned.tokenize([TEXTS[0], *([second] if second else [])])]
        before, after = tokenizer.assemble(*pair), pruned.assemble(*again)
        assert kept[after.token_ids].tolist() == before.token_ids.tolist()
        assert after.segment_ids.tolist() == before.segment_ids.tolist()


def require_read_alike(tokenizer: Tokenizer, folder: Path) -> None:
    tokenizer.save(folder)
    again = Tokenizer.from_folder(folder)
    assert again.fingerprint == tokenizer.fingerprint
    theirs = AutoTokenizer.from_pretrained(folder)
    ours = [made.token_ids.tolist() for made in again.tokenize(TEXTS)]
    assert ours == theirs(list(TEXTS), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    pair = [made.token_ids for made in again.tokenize(TEXTS[:2])]
    assert again.assemble(*pair).token_ids.tolist() == theirs(*TEXTS[:2])["input_ids"]
    for role, number in dict(again.special).items():
        assert getattr(theirs, f"{role}_token_id") == number
    assert len(theirs) == again.vocab_size


@pytest.mark.parametrize("name", ["lower", "cased", "words", "shuffled"])
def test_pruned_folder_is_read_alike_here_and_in_transformers(tmp_path, name):
    pruned, _ = prune_vocabulary(ALL[name], count_tokens(TEXTS[:5], ALL[name]))
    require_read_alike(pruned, tmp_path)


@pytest.mark.parametrize("name", ["lower", "cased", "words", "shuffled"])
def test_extended_folder_is_read_alike_here_and_in_transformers(tmp_path, name):
    extended, _ = extend_vocabulary(ALL[name], ["trust", "stories"])
    assert extended.vocab_size == ALL[name].vocab_size + 2
    require_read_alike(extended, tmp_path)


def test_extended_words_are_one_token_and_know_their_pieces(tokenizer):
    extended, pieces = extend_vocabulary(tokenizer, ["pytorch", "unable", "the", "pytorch"])
    assert list(pieces) == ["pytorch", "unable"]
    assert tokenizer.tokens(pieces["pytorch"]) == ["py", "##torch"]
    assert tokenizer.tokens(pieces["unable"]) == ["un", "##able"]
    assert names_of(extended, "pytorch is unable，") == ["pytorch", "is", "unable", "，"]
    assert extended.tokenize(["unable"])[0].token_ids.tolist() == [tokenizer.vocab_size + 1]
    assert extended.special == tokenizer.special


def test_words_are_normalised_as_texts_are():
    extended, pieces = extend_vocabulary(LOWER, ["PyTorch", "Façade", "PYTORCH"])
    assert list(pieces) == ["pytorch", "facade"]
    assert names_of(extended, "PYTORCH façade") == ["pytorch", "facade"]
    _, cased = extend_vocabulary(CASED, ["PyTorch"])
    assert list(cased) == ["PyTorch"]


def test_chinese_words_at_word_level():
    extended, pieces = extend_vocabulary(WORD_LEVEL, ["天下", "火锅"])
    assert WORD_LEVEL.tokens(pieces["天下"]) == ["天", "下"]
    assert list(pieces) == ["天下"]
    assert names_of(extended, "天下火锅") == ["天下", "火锅"]


def test_a_vocabulary_with_gaps_grows_at_its_end():
    extended, _ = extend_vocabulary(TWICE, ["unable"])
    assert extended.tokens([TWICE.vocab_size]) == ["unable"]
    assert names_of(extended, "unable 的") == ["unable", "的"]


@pytest.mark.parametrize("word", ["天下", "a b", "don't", "", "[sep]", "a" * 101])
def test_words_that_would_never_be_a_token_are_refused(word):
    with pytest.raises(UserError, match="1 of 2 new words would never be a token") as error:
        extend_vocabulary(LOWER, ["trust", word])
    assert repr(word) in str(error.value)
    assert "level='word'" in str(error.value)


def test_special_tokens_are_known_already():
    assert extend_vocabulary(CASED, ["[SEP]"])[1] == {}


def test_only_wordpiece(tmp_path):
    folder = tmp_path / "bytelevel"
    vocab_folder(folder, vocab=json.dumps({name: n for n, name in enumerate(("<s>", "<pad>", "</s>", "<unk>", "a"))}))
    (folder / "vocab.txt").unlink()
    (folder / "merges.txt").write_text("#version: 0.2\n")
    other = Tokenizer.from_folder(folder)
    for act in (lambda: prune_vocabulary(other, np.ones(5, dtype=int)), lambda: extend_vocabulary(other, ["b"])):
        with pytest.raises(UserError, match="of kind BPE"):
            act()


def test_counts_of_another_vocabulary_are_a_mistake():
    with pytest.raises(ValueError, match="3 counts for a vocabulary"):
        prune_vocabulary(LOWER, np.ones(3, dtype=int))
