"""What a word is: Chinese by segmentation, everything else by letters and digits that stand together."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import lazy_loader
import numpy as np
from jaxtyping import Int
from pydantic import Field

from bertsmith.config import Config
from bertsmith.text.characters import HAN, without_surrogates
from bertsmith.text.tokenized import Tokenized

rjieba = lazy_loader.load("rjieba")

_KANA = "\u3040-\u30ff"
_LATIN_WORD = re.compile(rf"[^\W{HAN}{_KANA}]+|\S")
LETTER = re.compile(rf"[^\W{HAN}{_KANA}]")
"""A letter or digit of a script that writes words apart: it stands inside a word where its neighbour is one too."""


@runtime_checkable
class Segmenter(Protocol):
    """Finds the words of a text."""

    def __call__(self, text: str) -> list[tuple[int, int]]:
        """The words as (start, end) in characters, in order, without overlap."""
        ...


class LatinSegmenter(Config):
    """Runs of letters and digits; every Chinese character and every mark stands alone."""

    kind: Literal["latin"] = "latin"

    def __call__(self, text: str) -> list[tuple[int, int]]:
        """The words as (start, end) in characters, in order."""
        return [match.span() for match in _LATIN_WORD.finditer(text)]


class ChineseSegmenter(Config):
    """Chinese words by the dictionary of jieba; other scripts as `LatinSegmenter` has them.

    `hmm` also guesses words that are in no dictionary; `words` are added to the dictionary.
    """

    kind: Literal["chinese"] = "chinese"
    hmm: bool = True
    words: tuple[str, ...] = ()

    def __call__(self, text: str) -> list[tuple[int, int]]:
        """The words as (start, end) in characters, in order."""
        spans: list[tuple[int, int]] = []
        for word, start, end in _dictionary(self.words).tokenize(without_surrogates(text), hmm=self.hmm):
            if word.isspace():
                continue
            if spans and spans[-1][1] == start and LETTER.match(text, start) and LETTER.match(text, start - 1):
                spans[-1] = spans[-1][0], end
            else:
                spans.append((start, end))
        return spans


SegmenterConfig = Annotated[ChineseSegmenter | LatinSegmenter, Field(discriminator="kind")]


@lru_cache(maxsize=8)
def _dictionary(words: Sequence[str]) -> Any:
    jieba = rjieba.Jieba()
    for word in words:
        jieba.add_word(word, jieba.suggest_freq(word), "x")
    return jieba


def word_spans(text: str, tokenized: Tokenized, segmenter: Segmenter) -> Int[np.ndarray, "words 2"]:
    """The whole words of a text as ranges of its tokens, end exclusive; together they cover every token once.

    A new word begins at a token whose first character belongs to another word than the last
    character of the token before; tokens cut from one character never part. So a token across
    several words (a vocabulary may hold longer ones) joins them (Cui et al. 2021, arXiv 1906.08101).
    """
    if len(tokenized) == 0:
        return np.zeros((0, 2), dtype=np.int32)
    word_of = _word_of_character(len(text), segmenter(text))
    starts, ends = tokenized.offsets[:, 0], tokenized.offsets[:, 1]
    fresh = word_of[starts[1:]] != word_of[np.maximum(ends[:-1] - 1, starts[:-1])]
    first = np.flatnonzero(np.concatenate([[True], fresh]))
    return np.stack([first, np.append(first[1:], len(tokenized))], axis=1).astype(np.int32)


def _word_of_character(length: int, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """The number of the word each character belongs to; a character of no word is one of its own."""
    places = np.array(spans, dtype=np.int64).reshape(-1, 2)
    steps = np.zeros(length + 1, dtype=np.int64)
    np.add.at(steps, places[:, 0], 1)
    np.subtract.at(steps, places[:, 1], 1)
    begins = np.cumsum(steps[:length]) == 0
    begins[places[:, 0]] = True
    return np.cumsum(begins)
