"""Words of a text for BM25: letters and digits that stand together, Chinese two characters at a time or in words."""

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from bertsmith.data.grams import comparable
from bertsmith.text import ChineseSegmenter
from bertsmith.text.characters import HAN

_UNSPACED = f"{HAN}\u3040-\u30ff"
_RUNS = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|[^\W{_UNSPACED}_]+")

_segmenter = ChineseSegmenter()


def terms(text: str, units: Literal["bigrams", "words"]) -> list[str]:
    """What of a text is counted, in order; width, case and marks do not tell words apart.

    A run of Chinese characters or kana becomes its pairs of neighbours, one alone stays one; or its words.
    """
    return list(_bigrams(comparable(text)) if units == "bigrams" else _words(comparable(text)))


@lru_cache(maxsize=1 << 18)
def term_key(term: str) -> int:
    """64 bits that stand for a term: no list of terms is stored."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _bigrams(text: str) -> Iterator[str]:
    for run in _RUNS.finditer(text):
        found = run[0]
        if run["unspaced"] is None or len(found) == 1:
            yield found
        else:
            yield from (found[place : place + 2] for place in range(len(found) - 1))


def _words(text: str) -> Iterator[str]:
    for start, end in _segmenter(text):
        yield from (run[0] for run in _RUNS.finditer(text, start, end))
