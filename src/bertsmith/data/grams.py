"""Texts as sets of character 5-grams, and the short signatures that make comparing many of them fast."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Int, UInt64

GRAM = 5  # characters

_CHUNK_CHARACTERS = 1 << 22
_OWNER_BITS, _RARITY_BITS, _HASH_BITS = 12, 5, 47
_MOST_BUCKETS = 1 << 22
Hashes = UInt64[np.ndarray, "..."]
Counts = Int[np.ndarray, "..."]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Signatures:
    """What is kept of each text: the size of its set, its rarest grams, and a parity bitmap of all of them.

    A posting is one of the rarest grams of a text; `places` counts them within the text, from the rarest.
    Bit `b` of a bitmap is the parity of the number of grams that hash to `b`, so that two bitmaps differ
    in no more bits than their sets differ in grams.
    """

    sizes: Int[np.ndarray, "texts"]
    bitmaps: UInt64[np.ndarray, "texts words"]
    grams: UInt64[np.ndarray, "postings"]
    owners: Int[np.ndarray, "postings"]
    places: Int[np.ndarray, "postings"]


def comparable(text: str) -> str:
    """What of a text counts when texts are compared: not width, case, or the amount of white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def gram_set(text: str) -> set[str]:
    """The character 5-grams of a text; a shorter text is a gram itself."""
    return {text[start : start + GRAM] for start in range(max(1, len(text) - GRAM + 1))}


def sign(texts: Sequence[str], threshold: float) -> Signatures:
    """Sign every text for a search of all pairs of Jaccard similarity `threshold` or more.

    Of a set of n grams the n - ceil(threshold * n) + 1 rarest are posted: two sets that similar must share
    one of them (prefix filter; Chaudhuri et al. 2006, Bayardo et al. 2007).
    """
    rarity = _rarity(texts)
    bits = _bitmap_bits(max(map(len, texts), default=0))
    parts = [
        _sign_chunk(chunk, rarity, bits, threshold)
        for chunk in _chunks(texts, min(_CHUNK_CHARACTERS // bits, 1 << _OWNER_BITS))
    ]
    counts = [len(part.sizes) for part in parts]
    firsts = np.cumsum([0, *counts[:-1]])
    return Signatures(
        sizes=np.concatenate([part.sizes for part in parts]),
        bitmaps=np.concatenate([part.bitmaps for part in parts]),
        grams=np.concatenate([part.grams for part in parts]),
        owners=np.concatenate([part.owners + first for part, first in zip(parts, firsts, strict=True)]),
        places=np.concatenate([part.places for part in parts]),
    )


def posted(sizes: Int[np.ndarray, "_"], share: float) -> Int[np.ndarray, "_"]:
    """How many of the rarest grams suffice when `share` of a set must be common."""
    return cast(Counts, sizes - at_least(share * sizes) + 1)


def at_least(bound: np.ndarray) -> Int[np.ndarray, "_"]:
    """The smallest whole number that reaches a bound, forgiving its rounding error."""
    return np.ceil(bound - 1e-9).astype(np.int64)


def _sign_chunk(texts: Sequence[str], rarity: UInt64[np.ndarray, "_"], bits: int, threshold: float) -> Signatures:
    """One sort puts the grams of each text in order, rarest first; the owner stands in the highest bits."""
    hashes, owners = _hashed(texts)
    keys = hashes >> np.uint64(64 - _HASH_BITS)
    keys |= rarity[_bucket(hashes, len(rarity))] << np.uint64(_HASH_BITS)
    keys |= owners.astype(np.uint64) << np.uint64(_HASH_BITS + _RARITY_BITS)
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    owners = (keys >> np.uint64(64 - _OWNER_BITS)).astype(np.int64)
    grams = keys & np.uint64((1 << (64 - _OWNER_BITS)) - 1)
    sizes = np.bincount(owners, minlength=len(texts))
    places = np.arange(len(keys)) - (np.cumsum(sizes) - sizes)[owners]
    kept = places < posted(sizes, threshold)[owners]
    bitmaps = _bitmaps(grams, owners, len(texts), bits)
    return Signatures(sizes, bitmaps, grams[kept], owners[kept], places[kept].astype(np.int32))


def _rarity(texts: Sequence[str]) -> UInt64[np.ndarray, "buckets"]:
    """The order of magnitude of how often the grams of each hash bucket occur.

    Any order of grams is right, one by rarity is fast.
    """
    buckets = min(_MOST_BUCKETS, 1 << sum(map(len, texts)).bit_length())
    counts = np.zeros(buckets, dtype=np.int64)
    for chunk in _chunks(texts, _CHUNK_CHARACTERS):
        counts += np.bincount(_bucket(_hashed(chunk)[0], buckets), minlength=buckets)
    return np.log2(np.maximum(counts, 1)).astype(np.uint64)


def _bucket(hashes: UInt64[np.ndarray, "_"], buckets: int) -> Int[np.ndarray, "_"]:
    return (hashes >> np.uint64(64 - _HASH_BITS) & np.uint64(buckets - 1)).astype(np.int64)


def _hashed(texts: Sequence[str]) -> tuple[UInt64[np.ndarray, "grams"], Int[np.ndarray, "grams"]]:
    """The hash of every 5-gram of every text, repeats included, and the number of its text."""
    padded = [text.ljust(GRAM, "\0") for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    windows = len(codes) - GRAM + 1
    hashes = np.zeros(windows, dtype=np.uint64)
    for place in range(GRAM):
        hashes *= _MULTIPLIER
        hashes += codes[place : place + windows]
    owners = np.repeat(np.arange(len(texts), dtype=np.int32), [len(text) for text in padded])
    whole = owners[:windows] == owners[GRAM - 1 :]
    return _mixed(hashes[whole]), owners[:windows][whole]


def _mixed(values: UInt64[np.ndarray, "_"]) -> UInt64[np.ndarray, "_"]:
    """Spread every input bit over all output bits (the finalizer of SplitMix64, Steele et al. 2014)."""
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(multiplier)
    return cast(Hashes, values ^ (values >> np.uint64(31)))


def _bitmaps(
    grams: UInt64[np.ndarray, "grams"], owners: Int[np.ndarray, "grams"], count: int, bits: int
) -> UInt64[np.ndarray, "texts words"]:
    cells = owners * bits + (grams & np.uint64(bits - 1)).astype(np.int64)
    parity = (np.bincount(cells, minlength=count * bits) & 1).astype(np.uint8)
    return cast(Hashes, np.packbits(parity).view(np.uint64).reshape(count, bits // 64))


def _bitmap_bits(longest: int) -> int:
    """Wide enough that two unlike texts of the longest size differ in more bits than two alike may."""
    return min(4096, max(256, 1 << (longest // 2).bit_length()))


def _chunks(texts: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Runs of texts, bounded in number and in characters."""
    start = characters = 0
    for number, text in enumerate(texts):
        if number > start and (number - start >= most or characters + len(text) > _CHUNK_CHARACTERS):
            yield texts[start:number]
            start, characters = number, 0
        characters += len(text)
    if len(texts) > start:
        yield texts[start:]
