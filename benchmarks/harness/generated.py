"""Texts made of a vocabulary, for whoever has no data: lengths and frequencies like those of real ones, no meaning.

How fast a model is does not depend on what texts say; what it learns does, so nothing is measured of that.
"""

from collections.abc import Sequence

import numpy as np

LENGTHS = {"zh-short": (17.0, 0.45), "en-sentences": (21.0, 0.55), "documents": (182.0, 0.60)}
"""Mean number of words (Chinese: characters), and spread of its logarithm."""

LONGEST = 500


class Writer:
    """Draws words of a vocabulary by Zipf's law, the same for the same seed."""

    def __init__(self, words: Sequence[str], seed: int) -> None:
        self.words = np.array(words)
        self.random = np.random.default_rng(seed)
        chances = 1 / (np.arange(len(words)) + 10.0)
        self.chances = np.cumsum(chances / chances.sum())

    def drawn(self, count: int) -> np.ndarray:
        """So many words."""
        return self.words[np.searchsorted(self.chances, self.random.random(count)).clip(max=len(self.words) - 1)]

    def texts(self, kind: str, count: int) -> list[str]:
        """So many texts of a kind."""
        mean, spread = LENGTHS[kind]
        lengths = self.random.lognormal(np.log(mean) - spread**2 / 2, spread, count)
        blank = "" if kind.startswith("zh") else " "
        return [blank.join(self.drawn(length)) for length in np.clip(lengths, 2, LONGEST).astype(int)]

    def tagged(self, count: int) -> list[tuple[list[str], list[str]]]:
        """Sentences of characters, in each of which two characters are a name."""
        made = []
        for text in self.texts("zh-short", count):
            tags = ["O"] * len(text)
            place = int(self.random.integers(0, len(text) - 1))
            tags[place : place + 2] = ["B-NAME", "I-NAME"]
            made.append((list(text), tags))
        return made

    def corpus(self, characters: int) -> list[str]:
        """Paragraphs of a hundred characters, blank lines between documents of twenty."""
        made: list[str] = []
        for number in range(max(1, characters // 100)):
            made += [""] if number % 20 == 0 and number else []
            made.append("".join(self.drawn(99)) + "。")
        return made


def chinese_words(vocabulary: Sequence[str]) -> list[str]:
    """The single Chinese characters of a vocabulary."""
    return [word for word in vocabulary if len(word) == 1 and "\u4e00" <= word <= "\u9fff"]


def english_words(vocabulary: Sequence[str]) -> list[str]:
    """The whole words of a vocabulary."""
    return [word for word in vocabulary if len(word) > 1 and word.isascii() and word.isalpha()]
