"""An embedder without a model: texts of the same words have the same vector, everywhere and always."""

import hashlib
from collections.abc import Sequence

import numpy as np

WIDTH = 13


class WordEmbedder:
    """The mean of one random vector a word; counts the texts that it was asked for."""

    def __init__(self, fingerprint: str = "words", width: int = WIDTH) -> None:
        self.fingerprint = fingerprint
        self.width = width
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += len(texts)
        return np.stack([np.mean([self._word(word) for word in text.split()], axis=0) for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        return self.encode(texts)

    def _word(self, word: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        return np.random.default_rng(seed).standard_normal(self.width).astype(np.float32)


def sentences(number: int, *, seed: int = 0, words: int = 200) -> list[str]:
    """Texts of three to eight words, all different."""
    rng = np.random.default_rng(seed)
    return [
        f"n{seed}x{row} " + " ".join(f"w{word}" for word in rng.integers(words, size=rng.integers(3, 8)))
        for row in range(number)
    ]
