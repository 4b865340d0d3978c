import json

import pytest
from transformers import AutoTokenizer, RobertaTokenizer

from bertsmith.errors import UserError
from bertsmith.text import Tokenizer
from bertsmith.text.wordpiece import has_chinese_words, is_cased, read_vocab_txt

from .samples import NAMES, SPECIAL, TEXTS, WORD_NAMES, vocab_folder


def ids(tokenizer, text):
    return tokenizer.tokenize([text])[0].token_ids.tolist()


def test_the_line_number_is_the_id_as_in_ernie_and_wobert(tmp_path):
    names = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "$", "", "我", "$", "[UNK]")
    tokenizer = Tokenizer.from_folder(vocab_folder(tmp_path / "one", names))
    assert tokenizer.vocab_size == 9
    assert (tokenizer.special.unk, tokenizer.special.mask) == (8, 3)
    assert ids(tokenizer, "我$好") == [6, 7, 8]
    tokenizer.save(tmp_path / "two")
    again = Tokenizer.from_folder(tmp_path / "two")
    assert again.definition.names == names
    assert (tmp_path / "two" / "vocab.txt").read_bytes() == (tmp_path / "one" / "vocab.txt").read_bytes()
    assert again.fingerprint == tokenizer.fingerprint
    assert AutoTokenizer.from_pretrained(tmp_path / "two")("我$好")["input_ids"] == [1, 6, 7, 8, 2]


def test_line_ends_of_other_systems_and_odd_characters(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("\ufeff[PAD]\r\na\u2028b\r\n\r\nc".encode())
    assert read_vocab_txt(tmp_path / "vocab.txt") == ("[PAD]", "a\u2028b", "", "c")


def test_what_is_not_said_is_assumed_and_said(tmp_path):
    lower = Tokenizer.from_folder(vocab_folder(tmp_path / "lower"))
    assert ids(lower, "THE") == ids(lower, "the")
    assert "texts are lower-cased" in lower.assumptions[0]
    capitals = tuple(chr(65 + i) for i in range(26))
    cased = Tokenizer.from_folder(vocab_folder(tmp_path / "cased", (*NAMES, *capitals)))
    assert cased.tokens(ids(cased, "T t")) == ["T", "t"]
    assert "texts keep theirs" in cased.assumptions[0]
    said = vocab_folder(tmp_path / "said", (*NAMES, *capitals), tokenizer_config='{"do_lower_case": true}')
    assert Tokenizer.from_folder(said).assumptions == ()
    assert ids(Tokenizer.from_folder(said), "T") == ids(cased, "t")


def test_case_and_words_are_seen_in_the_vocabulary():
    assert not is_cased((*NAMES, "<S>", "<T>"))
    assert is_cased([*"ABCDEFGHIJKLMNOP"])
    assert has_chinese_words(WORD_NAMES)
    assert not has_chinese_words((*NAMES, "##今天"))


@pytest.mark.parametrize(
    ("files", "word_level"),
    [
        ({}, True),
        ({"tokenizer_config": '{"tokenizer_class": "BertTokenizer"}'}, False),
        ({"tokenizer_config": '{"tokenizer_class": "RoFormerTokenizerFast"}'}, True),
        ({"config": '{"tokenizer_class": "WoBertTokenizer"}'}, True),
    ],
)
def test_chinese_is_cut_into_words_where_the_files_say_so(tmp_path, files, word_level):
    folder = vocab_folder(tmp_path, WORD_NAMES, **files)
    tokenizer = Tokenizer.from_folder(folder)
    assert (tokenizer.tokens(ids(tokenizer, "今天")) == ["今天"]) is word_level
    assert ids(Tokenizer.from_folder(folder, level="character"), "今天") != ids(
        Tokenizer.from_folder(folder, level="word"), "今天"
    )


def test_truncation_and_padding_inside_a_tokenizer_json_stay_off(tmp_path):
    Tokenizer.from_folder(vocab_folder(tmp_path / "one")).save(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    padding = {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None}
    content["padding"] = padding | {"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    (tmp_path / "vocab.txt").unlink()
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert len(ids(tokenizer, "今天天气非常好")) == 7
    assert len(ids(tokenizer, "好")) == 1
    tokenizer.save(tmp_path / "two")
    assert json.loads((tmp_path / "two" / "tokenizer.json").read_text())["truncation"] is None


def test_the_tokenizer_config_decides_about_lower_case_as_in_transformers(tmp_path):
    folder = vocab_folder(tmp_path, tokenizer_config='{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    Tokenizer.from_folder(folder).save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": false}')
    assert ids(Tokenizer.from_folder(tmp_path), "THE") == [1]
    assert AutoTokenizer.from_pretrained(tmp_path)("THE")["input_ids"] == [2, 1, 3]


def test_special_tokens_by_the_names_the_files_give(tmp_path):
    names = ("<p>", "<u>", "<c>", "<e>", "a")
    named = {"pad_token": "<p>", "unk_token": {"content": "<u>"}, "cls_token": "<c>", "sep_token": "<e>"}
    folder = vocab_folder(tmp_path, names, special_tokens_map=json.dumps(named))
    special = Tokenizer.from_folder(folder).special
    assert special.model_dump() == {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": None}


def byte_level_folder(folder):
    """A small byte-level BPE vocabulary in RoBERTa's order."""
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(TEXTS, vocab_size=400, min_frequency=1, special_tokens=specials, show_progress=False)
    trained.save_model(str(folder))
    return folder


def test_byte_level_bpe_as_in_transformers(tmp_path):
    ours = Tokenizer.from_folder(byte_level_folder(tmp_path))
    theirs = RobertaTokenizer.from_pretrained(tmp_path)
    made = ours.tokenize(TEXTS)
    expected = theirs(list(TEXTS), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert [m.token_ids.tolist() for m in made] == expected
    pair = ours.assemble(made[0].token_ids, made[1].token_ids)
    assert pair.token_ids.tolist() == theirs(*TEXTS[:2])["input_ids"]
    assert not pair.segment_ids.any()
    assert (ours.overhead(pair=False), ours.overhead(pair=True)) == (2, 4)
    ours.save(tmp_path / "saved")
    assert AutoTokenizer.from_pretrained(tmp_path / "saved")(*TEXTS[:2])["input_ids"] == pair.token_ids.tolist()
    assert ours.decode(pair.token_ids).startswith("我在Beijing吃了")


def test_byte_level_offsets_leave_spaces_out(tmp_path):
    ours = Tokenizer.from_folder(byte_level_folder(tmp_path))
    text = "a café 我 👩x  "
    (made,) = ours.tokenize([text])
    covered = [text[start:end] for start, end in made.offsets.tolist()]
    assert all(piece == piece.strip() or piece.isspace() for piece in covered)
    places = dict.fromkeys(map(tuple, made.offsets.tolist()))
    assert "".join(text[start:end] for start, end in places).replace(" ", "") == "acafé我👩x"


@pytest.mark.parametrize(
    ("files", "code", "says"),
    [
        ({}, "no_tokenizer", r"looked for tokenizer.json, vocab.txt.*found nothing"),
        ({"vocab.txt": b""}, "bad_vocabulary", "empty"),
        ({"vocab.txt": b"[PAD]\n[UNK]\n"}, "bad_vocabulary", r"no token for cls .*, sep"),
        ({"vocab.txt": "[PAD]\n我".encode("gb18030")}, "bad_encoding", "byte 0xce at offset 6"),
        ({"tokenizer.json": b"{"}, "bad_json", "tokenizer.json:1"),
        ({"tokenizer.json": b"{}"}, "bad_tokenizer", "no model with a vocabulary"),
        ({"tokenizer.json": b"[1]"}, "bad_json", "a JSON object is needed"),
        ({"vocab.txt": b"a", "tokenizer_config.json": b"{,"}, "bad_json", "tokenizer_config.json:1"),
        ({"vocab.json": b'{"a": "b"}', "merges.txt": b""}, "bad_vocabulary", "token: id"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, files, code, says):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=says) as caught:
        Tokenizer.from_folder(tmp_path)
    assert caught.value.code == code


def test_a_damaged_tokenizer_json_and_merges_are_said(tmp_path):
    vocabulary = {name: number for number, name in enumerate(SPECIAL)}
    content = {"model": {"type": "WordPiece", "vocab": vocabulary}, "pre_tokenizer": {"type": "Unheard"}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="not a usable tokenizer"):
        Tokenizer.from_folder(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    byte_level_folder(tmp_path)
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b c\n")
    with pytest.raises(UserError, match=r"merges.txt:2: a merge is two tokens"):
        Tokenizer.from_folder(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        Tokenizer.from_folder(tmp_path / "absent")
