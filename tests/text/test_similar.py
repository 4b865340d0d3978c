import json

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from bertsmith.errors import UserError
from bertsmith.text import Tokenizer
from bertsmith.text.similar import SimilarWords
from bertsmith.text.wordpiece import bert_normalizer, wordpiece

from .samples import NAMES

TOKENIZER = Tokenizer(wordpiece(NAMES, normalizer=bert_normalizer(lower_case=True, strip_accents=None)))


def choices(similar, word, tokenizer=TOKENIZER):
    found = similar.in_tokens(tokenizer).of(tokenizer.tokenize([word])[0].token_ids)
    return None if found is None else {"".join(tokenizer.tokens(row)) for row in found}


def test_only_words_of_as_many_tokens_fit():
    similar = SimilarWords({"火锅": ["今天", "天", "结果等", "发货"], "runner": ["played"]})
    assert choices(similar, "火锅") == {"今天", "发货"}
    assert choices(similar, "runner") is None
    assert choices(similar, "今天") is None


def test_words_are_normalised_as_texts_are():
    similar = SimilarWords({"Beijing": ["Play"], "beijing": ["the", "BEIJING"]})
    assert choices(similar, "BEIJING") == {"play", "the"}


def test_unknown_tokens_neither_replace_nor_are_replaced():
    similar = SimilarWords({"火锅": ["鑫鑫", "今天"], "鑫天": ["今天"]})
    assert choices(similar, "火锅") == {"今天"}
    assert len(similar.in_tokens(TOKENIZER)) == 1


def byte_level(folder):
    """A tokenizer in which a word after a space is another token than without one."""
    rules = ("c a", "ca t", "Ġ cat", "d o", "do g", "Ġ dog")
    pieces = [*ByteLevel.alphabet(), *(rule.replace(" ", "") for rule in rules)]
    table = {name: number for number, name in enumerate(("<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(pieces)))}
    (folder / "vocab.json").write_text(json.dumps(table), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(rules), encoding="utf-8")
    return Tokenizer.from_folder(folder)


def test_a_word_after_a_space_may_be_spelled_otherwise(tmp_path):
    tokenizer = byte_level(tmp_path)
    found = SimilarWords({"cat": ["dog"]}).in_tokens(tokenizer)
    for word, expected in (("cat", "dog"), ("Ġcat", "Ġdog")):
        (row,) = found.of(tokenizer.tokenize(["a" + word.replace("Ġ", " ")])[0].token_ids[1:])
        assert tokenizer.tokens(row) == [expected]


def test_a_list_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "similar.tsv"
    SimilarWords({"火锅": ["今天", "发货"], "the": ["it"]}).save(path)
    assert path.read_text(encoding="utf-8") == "火锅\t今天 发货\nthe\tit\n"
    similar = SimilarWords.from_file(path)
    assert len(similar) == 2
    assert similar["火锅"] == ("今天", "发货")
    assert "the" in similar
    assert "it" not in similar


@pytest.mark.parametrize(
    ("content", "complaint", "code"),
    [
        ("火锅\t今天\n火锅 今天\n", r"similar\.tsv:2: '火锅 今天' is not of the form word<TAB>", "bad_line"),
        ("火锅\t \n", r"similar\.tsv:1", "bad_line"),
        ("\t今天\n", r"similar\.tsv:1", "bad_line"),
        ("\n\n", "no words", "no_similar_words"),
    ],
)
def test_lists_of_another_form_say_where(tmp_path, content, complaint, code):
    (tmp_path / "similar.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=complaint) as refusal:
        SimilarWords.from_file(tmp_path / "similar.tsv")
    assert refusal.value.code == code


def test_lists_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        SimilarWords.from_file(tmp_path / "missing.tsv")
    (tmp_path / "gbk.tsv").write_bytes("火锅\t今天\n".encode("gbk"))
    with pytest.raises(UserError, match="not UTF-8"):
        SimilarWords.from_file(tmp_path / "gbk.tsv")
