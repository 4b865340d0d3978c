import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizer

from bertsmith.text import Tokenizer, unknown_notes, unknown_share
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

from .samples import NAMES, TEXTS, WORD_NAMES, vocab_folder

LOWER = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))
CASED = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=False, strip_accents=None)))
WORD_LEVEL = Tokenizer(
    wordpiece(WORD_NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None), level="word")
)


def ids_of(tokenizer, texts):
    return [made.token_ids.tolist() for made in tokenizer.tokenize(texts)]


@pytest.mark.parametrize("lower_case", [True, False])
def test_ids_are_those_of_transformers(tmp_path, lower_case):
    config = json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": lower_case})
    folder = vocab_folder(tmp_path, tokenizer_config=config)
    ours, theirs = Tokenizer.from_folder(folder), BertTokenizer.from_pretrained(folder)
    assert ids_of(ours, TEXTS) == theirs(list(TEXTS), add_special_tokens=False, split_special_tokens=True)["input_ids"]


def test_pairs_are_joined_as_in_transformers(tmp_path):
    folder = vocab_folder(tmp_path)
    ours, theirs = Tokenizer.from_folder(folder), BertTokenizer.from_pretrained(folder)
    first, second = ours.tokenize([TEXTS[0], TEXTS[1]])
    for pair, texts in ((None, TEXTS[:1]), (second.token_ids, TEXTS[:2])):
        example, expected = ours.assemble(first.token_ids, pair), theirs(*texts)
        assert example.token_ids.tolist() == expected["input_ids"]
        assert example.segment_ids.tolist() == expected["token_type_ids"]
    assert (ours.overhead(pair=False), ours.overhead(pair=True)) == (2, 3)


@pytest.mark.parametrize("tokenizer", [LOWER, CASED, WORD_LEVEL], ids=["lower", "cased", "words"])
def test_a_saved_folder_is_read_alike_here_and_in_transformers(tmp_path, tokenizer):
    tokenizer.save(tmp_path / "one")
    again = Tokenizer.from_folder(tmp_path / "one")
    again.save(tmp_path / "two")
    assert again.fingerprint == tokenizer.fingerprint
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    theirs = AutoTokenizer.from_pretrained(tmp_path / "one")
    assert ids_of(again, TEXTS) == theirs(list(TEXTS), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    pair = [made.token_ids for made in again.tokenize(TEXTS[:2])]
    assert again.assemble(*pair).token_ids.tolist() == theirs(*TEXTS[:2])["input_ids"]


@pytest.mark.parametrize("tokenizer", [LOWER, CASED, WORD_LEVEL], ids=["lower", "cased", "words"])
@pytest.mark.parametrize("text", ["[SEP]", "a[MASK]b", "[CLS][CLS] [PAD]", "[UNK]", "<s>", "##ing"])
def test_no_text_becomes_a_special_token(tokenizer, text):
    (made,) = tokenizer.tokenize([text])
    assert not tokenizer.special_ids & set(made.token_ids.tolist()) - {tokenizer.special.unk}
    names = tokenizer.tokens(made.token_ids)
    assert (
        text.replace(" ", "").lower()
        == "".join(name if set(name) == {"#"} else name.removeprefix("##") for name in names)
        or tokenizer is CASED
    )


def plain(text: str) -> str:
    """BERT's normalisation of a piece of text, written a second time."""
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return "".join(c for c in text.lower() if not unicodedata.category(c).startswith("C") and not c.isspace())


@pytest.mark.parametrize("tokenizer", [LOWER, CASED, WORD_LEVEL], ids=["lower", "cased", "words"])
@settings(max_examples=150, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=40),
        st.lists(st.sampled_from("我吃火锅今天气好é\u0301ＡａＢe 𠮷😡한\ud83d\x00\u200b.[]İ\t"), max_size=30).map(
            "".join
        ),
    )
)
def test_offsets_lead_back_to_the_text(tokenizer, text):
    (made,) = tokenizer.tokenize([text])
    starts, ends = made.offsets[:, 0], made.offsets[:, 1]
    assert made.token_ids.dtype == made.offsets.dtype == np.int32
    assert (starts < ends).all()
    assert (ends <= len(text)).all()
    assert (np.diff(starts) >= 0).all()
    for name, (start, end) in zip(tokenizer.tokens(made.token_ids), made.offsets.tolist(), strict=True):
        if name == "[UNK]" or tokenizer is CASED:
            continue
        covered, token = plain(text[start:end]), plain(name.removeprefix("##"))
        assert covered == token or (
            token in covered and len(unicodedata.normalize("NFD", text[start:end])) > len(token)
        )


def test_offsets_of_a_mixed_text():
    text = "我在Beijing吃了Café，\ud800x"
    (made,) = LOWER.tokenize([text])
    covered = [text[start:end] for start, end in made.offsets]
    assert covered == ["我", "在", "Beijing", "吃", "了", "Caf", "é", "，", "x"]


def test_long_texts_are_cut_where_nothing_changes(monkeypatch):
    text = " ".join(TEXTS) * 3
    for tokenizer in (LOWER, CASED, WORD_LEVEL):
        (whole,) = tokenizer.tokenize([text])
        with monkeypatch.context() as patched:
            patched.setattr("bertsmith.text.pieces.LONGEST_PIECE", 7)
            patched.setattr("bertsmith.text.pieces.CHARACTERS_AT_ONCE", 50)
            cut = tokenizer.tokenize([text, "好", text])
        for made in (cut[0], cut[2]):
            np.testing.assert_array_equal(made.token_ids, whole.token_ids)
            np.testing.assert_array_equal(made.offsets, whole.offsets)


def test_a_very_long_text_is_no_trouble():
    (made,) = LOWER.tokenize(["今天天气非常好" * 20_000 + "a" * 200_000])
    assert len(made) == 140_001
    assert made.offsets[-1].tolist() == [140_000, 340_000]


def test_texts_without_tokens():
    for made in LOWER.tokenize(["", " ", "\x00"]):
        assert made.token_ids.shape == (0,)
        assert made.offsets.shape == (0, 2)
    assert LOWER.tokenize([]) == []
    assert LOWER.assemble(made.token_ids).token_ids.tolist() == [2, 3]


def test_decode_is_text_for_people():
    (made,) = LOWER.tokenize(["我在Beijing吃了火锅，真的还行！ Don't play"])
    example = LOWER.assemble(made.token_ids)
    assert LOWER.decode(example.token_ids) == "我在beijing吃了火锅，真的还行！don ' t play"
    assert LOWER.tokens([2, 1]) == ["[CLS]", "[UNK]"]
    for no_id in (len(NAMES), -1):
        with pytest.raises(IndexError):
            LOWER.tokens([no_id])


def test_the_share_of_unknown_tokens():
    texts = [made.token_ids for made in LOWER.tokenize(["我吃", "鑫 我", ""])]
    assert unknown_share(texts, LOWER) == 0.25
    assert unknown_share([], LOWER) == 0.0


def test_much_that_is_unknown_is_said():
    (made,) = LOWER.tokenize(["鑫我"])
    (note,) = unknown_notes("train", [made.token_ids], LOWER)
    assert note.startswith("train: 50 % of the tokens are unknown to the vocabulary")
    few = np.array([LOWER.special.unk, *[made.token_ids[1]] * 99])
    assert unknown_notes("train", [few], LOWER) == ()


def test_the_fingerprint_tells_tokenizers_apart():
    prints = {tokenizer.fingerprint for tokenizer in (LOWER, CASED, WORD_LEVEL)}
    assert len(prints) == 3
    assert LOWER.fingerprint == Tokenizer(LOWER.definition).fingerprint
