import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer

from bertsmith.text.characters import CharacterTable, WordTable, is_han, normalize, without_surrogates

LETTERS = st.characters(exclude_categories=("Cs", "Mc", "Me"))


@settings(deadline=None)
@given(text=st.text(LETTERS, max_size=40))
def test_a_table_of_characters_is_the_normaliser_itself(text):
    for lower_case in (True, False):
        normalizer = BertNormalizer(lowercase=lower_case)
        assert text.translate(CharacterTable(normalizer)) == normalizer.normalize_str(text)


@settings(deadline=None)
@given(text=st.text(LETTERS, max_size=40))
def test_every_character_knows_where_it_came_from(text):
    table = CharacterTable(BertNormalizer(lowercase=True))
    made = normalize(text, table)
    assert len(made.origin) == len(made.text)
    assert (np.diff(made.origin) >= 0).all()
    assert made.text == "".join(table[ord(character)] for character in text)
    for character, place in zip(made.text, made.origin.tolist(), strict=True):
        assert character in table[ord(text[place])]


def test_words_are_cut_at_punctuation_and_chinese():
    table = WordTable(BertNormalizer(lowercase=True))
    assert "Don't 吃火锅,OK？".translate(table).split() == ["don", "'", "t", "吃", "火", "锅", ",", "ok", "？"]


def test_chinese_characters_are_those_of_the_normaliser():
    normalizer = BertNormalizer(clean_text=False, lowercase=False)
    edges = (0x4E00, 0x9FFF, 0x3400, 0x4DBF, 0xF900, 0xFAFF, 0x20000, 0x2A6DF, 0x2A700, 0x2B81F, 0x2F800, 0x2FA1F)
    for edge in edges:
        for code in (edge - 1, edge, edge + 1):
            spaced = normalizer.normalize_str(chr(code)) != chr(code)
            assert spaced == is_han(chr(code)), hex(code)


def test_lone_surrogates_keep_their_place():
    assert without_surrogates("a\ud83d好\udc00") == "a\ufffd好\ufffd"
    assert without_surrogates("😀") == "😀"
