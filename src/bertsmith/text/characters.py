"""What BERT's normaliser does to single characters, and how to find the way back to the original text."""

import unicodedata
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

_SPLITTER = BertPreTokenizer()


class CharacterTable(dict[int, str]):
    """A table for `str.translate`: code point -> what BERT's normaliser makes of it, asked once a character.

    The normaliser works character by character, so a table is the same function, at the speed of
    `str.translate`. The rules (what is a control character, Chinese, punctuation) stay those of
    the tokenizers library.
    """

    def __init__(self, normalizer: BertNormalizer) -> None:
        super().__init__()
        self._normalizer = normalizer

    def __missing__(self, code: int) -> str:
        self[code] = made = self._make(chr(code))
        return made

    def _make(self, character: str) -> str:
        return str(self._normalizer.normalize_str(character))


class WordTable(CharacterTable):
    """The same with spaces around punctuation, so that `str.split` cuts a text into BERT's words."""

    def _make(self, character: str) -> str:
        return "".join(f" {part} " if is_punctuation(part) else part for part in super()._make(character))


@dataclass(frozen=True, slots=True)
class Normalized:
    """A normalised text and, for each of its characters, the index of the original one it came from."""

    text: str
    origin: Int[np.ndarray, "characters"]


def normalize(text: str, table: CharacterTable) -> Normalized:
    """Translate a text and remember where each character came from."""
    codes, places = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), return_inverse=True)
    lengths = np.array([len(table[int(code)]) for code in codes], dtype=np.int64)
    origin = np.repeat(np.arange(len(text)), lengths[places]) if len(text) else np.zeros(0, dtype=np.int64)
    return Normalized(text=text.translate(table), origin=origin)


def is_punctuation(character: str) -> bool:
    """Whether BERT cuts at this character."""
    return len(_SPLITTER.pre_tokenize_str(f"a{character}a")) == 3


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which no encoding can carry, by U+FFFD; every index stays the same."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def is_blank(text: str) -> bool:
    """Whether nothing in a text can be seen: only spaces, control and zero-width characters."""
    return all(unicodedata.category(character) in _INVISIBLE for character in text)


_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def is_han(character: str) -> bool:
    """Whether this is a Chinese character, in the sense of BERT: it is a word of its own."""
    return any(first <= character <= last for first, last in _HAN)


_HAN = (
    ("\u4e00", "\u9fff"),
    ("\u3400", "\u4dbf"),
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U0002a6df"),
    ("\U0002a700", "\U0002b81f"),
    ("\U0002b920", "\U0002ceaf"),
    ("\U0002f800", "\U0002fa1f"),
)

HAN = "".join(f"{first}-{last}" for first, last in _HAN)
"""The same set as the inside of a regular expression's character class."""
