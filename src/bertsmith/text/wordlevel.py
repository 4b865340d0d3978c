"""Word-level Chinese: a word of the vocabulary is one token (WoBERT, Su 2020; RoFormer, Su et al. 2021)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import lazy_loader
import numpy as np
from tokenizers.normalizers import BertNormalizer

from bertsmith.text.backend import Backend
from bertsmith.text.characters import CharacterTable, normalize
from bertsmith.text.tokenized import Tokenized

rjieba = lazy_loader.load("rjieba")


class _Word(NamedTuple):
    text: str
    start: int
    end: int


class WordLookup:
    """Cut by segmentation without a hidden Markov model; a word that is in the vocabulary is a token.

    Any other word is tokenized as BERT does, by characters and pieces. Text is normalised before
    it is segmented, as in the authors' code; offsets lead back to the original text.
    """

    def __init__(self, backend: Backend, vocabulary: Mapping[str, int], normalizer: BertNormalizer) -> None:
        self._backend = backend
        self._words = {word: number for word, number in vocabulary.items() if word and not word.startswith("##")}
        self._table = CharacterTable(normalizer)
        self._pieces: dict[str, Tokenized] = {}

    @property
    def cut(self) -> re.Pattern[str]:
        """Where a long text may be cut without changing a token."""
        return self._backend.cut

    def __call__(self, texts: Sequence[str]) -> list[Tokenized]:
        """Tokenize texts of moderate length."""
        normalized = [normalize(text, self._table) for text in texts]
        segmented = [[_Word(*word) for word in rjieba.tokenize(made.text, hmm=False)] for made in normalized]
        self._learn({word.text for words in segmented for word in words if word.text not in self._words})
        return [
            _original(list(self._tokens(words)), made.origin) for words, made in zip(segmented, normalized, strict=True)
        ]

    def _learn(self, unknown: set[str]) -> None:
        """Tokenize the words seen for the first time; the memory is emptied before it grows large."""
        if len(self._pieces) > 200_000:
            self._pieces.clear()
        new = sorted(unknown - self._pieces.keys())
        self._pieces.update(zip(new, self._backend(new), strict=True))

    def _tokens(self, words: Sequence[_Word]) -> Iterator[tuple[int, int, int]]:
        for word in words:
            known = self._words.get(word.text)
            if known is not None:
                yield known, word.start, word.end
                continue
            made = self._pieces[word.text]
            for number, (start, end) in zip(made.token_ids.tolist(), made.offsets.tolist(), strict=True):
                yield number, word.start + start, word.start + end


def _original(tokens: Sequence[tuple[int, int, int]], origin: np.ndarray) -> Tokenized:
    if not tokens:
        return Tokenized(np.zeros(0, dtype=np.int32), np.zeros((0, 2), dtype=np.int32))
    numbers, starts, ends = np.array(tokens, dtype=np.int32).T
    offsets = np.stack([origin[starts], origin[ends - 1] + 1], axis=1)
    return Tokenized(np.ascontiguousarray(numbers), offsets.astype(np.int32))
