import subprocess
import sys

import pytest

from bertsmith.errors import UserError
from bertsmith.text import Tokenizer, train_vocabulary, unknown_share
from bertsmith.text.merges import merged_pieces
from bertsmith.text.vocabulary import count_words

TEXTS = ["今天天气很好，我们去吃火锅。"] * 3 + ["Hug the pug! The pun and the bun; hugs.", "今天吃 hugs 2026"] * 5


def test_merges_follow_the_counts():
    counts = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
    assert list(merged_pieces(counts, limit=4, min_frequency=2)) == [
        ("##ug", 20),
        ("##un", 16),
        ("hug", 15),
        ("pun", 12),
    ]
    assert list(merged_pieces(counts, limit=99, min_frequency=16)) == [("##ug", 20), ("##un", 16)]
    assert list(merged_pieces({"aaaaa": 2}, limit=9, min_frequency=2)) == [("##aa", 6), ("##aaaa", 2), ("aaaaa", 2)]


def test_equally_frequent_pairs_go_by_code_points():
    forward = list(merged_pieces({"ab": 3, "cd": 3}, limit=9, min_frequency=1))
    assert forward == list(merged_pieces({"cd": 3, "ab": 3}, limit=9, min_frequency=1)) == [("ab", 3), ("cd", 3)]


def test_a_vocabulary_is_special_tokens_characters_and_pieces():
    tokenizer = train_vocabulary(TEXTS, size=200)
    names = tokenizer.definition.names
    assert names[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert len(set(names)) == len(names) <= 200
    assert {"今", "天", "，", "##u", "h", "the", "hugs", "9", "##9"} - set(names) == {"9", "##9"}
    assert not any(len(name) > 1 and "\u4e00" <= name.removeprefix("##")[0] <= "\u9fff" for name in names)
    assert unknown_share((made.token_ids for made in tokenizer.tokenize(TEXTS)), tokenizer) == 0
    (made,) = tokenizer.tokenize(["The hugs"])
    assert tokenizer.tokens(made.token_ids) == ["the", "hugs"]


def test_whole_chinese_words_on_request(tmp_path):
    tokenizer = train_vocabulary(TEXTS, size=200, level="word")
    (made,) = tokenizer.tokenize(["今天去吃火锅"])
    assert tokenizer.tokens(made.token_ids) == ["今天", "去", "吃火锅"]
    tokenizer.save(tmp_path)
    assert Tokenizer.from_folder(tmp_path).fingerprint == tokenizer.fingerprint


def test_rare_things_and_small_sizes():
    assert "pug" not in train_vocabulary(["pug", "hug hug"], size=99).definition.names
    assert train_vocabulary(TEXTS, size=8).vocab_size == 8
    kept = train_vocabulary(["The Café"] * 2, size=99, lower_case=False)
    assert {"The", "Café"} <= set(kept.definition.names)


def test_counting_is_of_berts_words():
    words, chinese = count_words(["Café don't 今天,今天\ud800"], lower_case=True, level="word")
    assert words == {"cafe": 1, "don": 1, "'": 1, "t": 1, "今": 2, "天": 2, ",": 1}
    assert chinese == {"今天": 2}


def test_memory_stays_flat(monkeypatch):
    monkeypatch.setattr("bertsmith.text.vocabulary.MOST_WORDS", 10)
    words, _ = count_words(
        ["the " * 5 + " ".join(f"w{i}" for i in range(9)), "a b c"], lower_case=True, level="character"
    )
    assert words == {"the": 5}


@pytest.mark.parametrize(
    ("texts", "size", "says"), [([], 99, "no words"), ([" "], 99, "no words"), (["a"], 5, "too small")]
)
def test_what_cannot_be_trained_is_said(texts, size, says):
    with pytest.raises(UserError, match=says):
        train_vocabulary(texts, size=size)


def test_every_process_learns_the_same():
    call = f"train_vocabulary({TEXTS!r}, size=90, level='word')"
    code = f"from bertsmith.text import train_vocabulary; print({call}.fingerprint)"
    prints = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert prints == {train_vocabulary(TEXTS, size=90, level="word").fingerprint + "\n"}


def test_texts_need_no_torch():
    code = "import bertsmith.text, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
