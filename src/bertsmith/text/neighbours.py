"""Similar words learned from a corpus: word2vec and cosine, in place of a ready-made toolkit."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.files import writing
from bertsmith.text.characters import is_han
from bertsmith.text.similar import SimilarWords
from bertsmith.text.words import Segmenter

_SCORES_AT_ONCE = 20_000_000
_MOST_WORDS = 2_000_000  # different words counted at a time; beyond that the rarest are forgotten


class Neighbours(Config):
    """How similar words are found: the nearest by cosine among vectors learned by continuous bag of words.

    On small corpora that is three times as fast as skip-gram (both Mikolov et al. 2013,
    arXiv 1301.3781 §3), and its neighbours can more often stand in the same place.

    Chinese words are compared among those of the same number of characters, since a similar word
    has to fit in the place of the other (MacBERT, Cui et al. 2020, arXiv 2004.13922 §3.2, takes
    them from the toolkit Synonyms, which works the same way); so are numbers and marks, and words of
    letters whatever their length. Mixtures have no similar words.
    """

    size: int = Field(default=100, ge=1)
    window: int = Field(default=5, ge=1)
    """Words to each side."""
    least_count: int = Field(default=5, ge=1)
    """A rarer word has no vector."""
    epochs: int = Field(default=5, ge=1)
    keep: int = Field(default=10, ge=1)
    """Similar words a word, at most."""
    least_cosine: float = Field(default=0.3, ge=-1, le=1)
    seed: int = 0

    def require(self) -> None:
        """Make sure that words can be learned here.

        Raises:
            UserError: gensim is not installed.
        """
        require_word2vec()

    def learn(
        self, texts: Iterable[str], segmenter: Segmenter, *, say: Callable[[str], None] | None = None
    ) -> SimilarWords:
        """Read the texts once, learn vectors of their words, and list the nearest of each.

        The segmented corpus lies in a temporary file meanwhile. `say` is told
        how far it is. One thread learns, so equal input gives an equal list.

        Raises:
            UserError: gensim is not installed, or no two similar words were found.
        """
        word2vec = require_word2vec()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "words.txt"
            _write_words(path, texts, segmenter)
            words, vectors = self._vectors(word2vec, path, _Epochs(self.epochs, say))
        similar: dict[str, tuple[str, ...]] = {}
        for group in _comparable(words):
            similar.update(self._nearest([words[row] for row in group], vectors[group]))
        if not similar:
            raise UserError(
                f"no similar words: of {len(words)} words seen at least {self.least_count} times none has another "
                f"with a cosine of {self.least_cosine:g}; give a larger corpus, or lower these two settings",
                code="no_similar_words",
            )
        return SimilarWords(similar)

    def _vectors(
        self, word2vec: Any, path: Path, watcher: "_Epochs"
    ) -> tuple[list[str], Float[np.ndarray, "words size"]]:
        """The words by falling frequency, and their vectors of length 1."""
        model = word2vec.Word2Vec(
            vector_size=self.size,
            window=self.window,
            min_count=self.least_count,
            seed=self.seed,
            workers=1,
            max_vocab_size=_MOST_WORDS,
        )
        sentences = word2vec.LineSentence(str(path))
        model.build_vocab(sentences)
        if not model.wv.index_to_key:
            return [], np.zeros((0, self.size), dtype=np.float32)
        model.train(sentences, total_examples=model.corpus_count, epochs=self.epochs, callbacks=[watcher])
        return list(model.wv.index_to_key), model.wv.get_normed_vectors()

    def _nearest(
        self, words: Sequence[str], vectors: Float[np.ndarray, "words size"]
    ) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Each word that has any, with its nearest ones, best first."""
        step = max(1, _SCORES_AT_ONCE // max(1, len(words)))
        for start in range(0, len(words), step):
            scores = vectors[start : start + step] @ vectors.T
            scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
            for row, columns in enumerate(_highest(scores, self.keep).tolist()):
                found = tuple(words[column] for column in columns if scores[row, column] >= self.least_cosine)
                if found:
                    yield words[start + row], found


class _Epochs:
    """What gensim calls while it learns; says when a pass over the corpus is done."""

    def __init__(self, total: int, say: Callable[[str], None] | None) -> None:
        self._total, self._done, self._say = total, 0, say

    def on_train_begin(self, model: Any) -> None:
        """The words are known."""
        if self._say is not None:
            self._say(f"learning vectors of {len(model.wv.index_to_key):,} words")

    def on_epoch_begin(self, model: Any) -> None:
        """A pass begins."""

    def on_epoch_end(self, model: Any) -> None:
        """A pass is done."""
        self._done += 1
        if self._say is not None:
            self._say(f"learning vectors: pass {self._done} of {self._total} done")

    def on_train_end(self, model: Any) -> None:
        """All passes are done."""


def _highest(scores: Float[np.ndarray, "rows columns"], count: int) -> Int[np.ndarray, "rows _"]:
    """The columns of the highest scores of each row, highest first."""
    some = np.argpartition(-scores, min(count, scores.shape[1]) - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def _comparable(words: Sequence[str]) -> list[list[int]]:
    """The rows of words of one script, if need be of one length."""
    groups: dict[tuple[str, int], list[int]] = {}
    for row, word in enumerate(words):
        key = _script(word)
        if key is not None:
            groups.setdefault(key, []).append(row)
    return list(groups.values())


def _script(word: str) -> tuple[str, int] | None:
    if all(map(is_han, word)):
        return "han", len(word)
    if any(map(is_han, word)):
        return None
    if word.isalpha():
        return "letters", 0
    if word.isdigit():
        return "digits", len(word)
    return None if any(map(str.isalnum, word)) else ("marks", len(word))


def _write_words(path: Path, texts: Iterable[str], segmenter: Segmenter) -> None:
    with writing(path), path.open("w", encoding="utf-8") as file:
        for text in texts:
            file.write(" ".join(text[start:end] for start, end in segmenter(text)) + "\n")


def require_word2vec() -> Any:
    """gensim's module.

    Raises:
        UserError: gensim is not installed.
    """
    try:
        return import_module("gensim.models.word2vec")
    except ImportError:
        message = (
            "words and tokens get vectors from gensim: pip install 'bertsmith[synonyms]', or bring a list of similar "
            "words of your own (--similar), or leave token_vectors out"
        )
        raise UserError(message, code="missing_package") from None
