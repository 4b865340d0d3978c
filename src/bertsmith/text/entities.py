"""Phrases and named entities, found by word lists."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bertsmith.errors import UserError
from bertsmith.text.tokenized import Tokenized
from bertsmith.text.words import LETTER


class EntityLexicon:
    """Finds the longest entry that begins at each place, from left to right.

    Stands in for the chunker and the entity recogniser of ERNIE (Sun et al. 2019,
    arXiv 1904.09223 §3.2), whose units are masked as wholes. An entry of letters or digits is not
    found inside a longer run of them (`art` in `party`). Letters are compared as they are written.
    Entries of a single character are left out: they are units already.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = frozenset(entry for entry in map(str.strip, entries) if len(entry) > 1)
        self._lengths = _lengths_by_beginning(self._entries)

    @classmethod
    def from_files(cls, paths: Sequence[Path]) -> "EntityLexicon":
        """Read word lists: an entry a line, what follows a tab (THUOCL: a frequency) is ignored.

        Raises:
            UserError: a file cannot be read, is not UTF-8, or there is no entry in any of them.
        """
        lexicon = cls(entry for path in paths for entry in _entries(Path(path)))
        if not len(lexicon):
            names = ", ".join(str(path) for path in paths)
            raise UserError(
                f"{names}: no entry of two or more characters; an entity list has one entry a line",
                code="no_entities",
                where=names,
            )
        return lexicon

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: str) -> bool:
        return entry in self._entries

    @property
    def fingerprint(self) -> str:
        """Equal for lexicons with the same entries."""
        return hashlib.blake2b("\n".join(sorted(self._entries)).encode(), digest_size=8).hexdigest()

    def __call__(self, text: str) -> list[tuple[int, int]]:
        """The entities as (start, end) in characters, in order, without overlap."""
        spans: list[tuple[int, int]] = []
        lengths, entries, free = self._lengths, self._entries, 0
        for start in range(len(text) - 1):
            possible = lengths.get(text[start : start + 2])
            if possible is None or start < free:
                continue
            for length in possible:
                end = start + length
                if text[start:end] in entries and not (_inside_word(text, start) or _inside_word(text, end)):
                    spans.append((start, end))
                    free = end
                    break
        return spans


def entity_spans(text: str, tokenized: Tokenized, lexicon: EntityLexicon) -> Int[np.ndarray, "entities 2"]:
    """The entities of a text as ranges of its tokens, end exclusive.

    An entity that begins or ends inside a token is left out: it is no unit of this vocabulary.
    """
    spans = np.array(lexicon(text), dtype=np.int32).reshape(-1, 2)
    starts, ends = tokenized.offsets[:, 0], tokenized.offsets[:, 1]
    first, last = np.searchsorted(starts, spans[:, 0]), np.searchsorted(ends, spans[:, 1], side="right") - 1
    fits = first <= last
    inner = np.flatnonzero(fits)
    fits[inner] = (starts[first[inner]] == spans[inner, 0]) & (ends[last[inner]] == spans[inner, 1])
    return np.stack([first, last + 1], axis=1)[fits].astype(np.int32)


def _inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and bool(LETTER.match(text, place - 1) and LETTER.match(text, place))


def _lengths_by_beginning(entries: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The lengths of the entries that begin with two characters, longest first."""
    found: dict[str, set[int]] = {}
    for entry in entries:
        found.setdefault(entry[:2], set()).add(len(entry))
    return {beginning: tuple(sorted(lengths, reverse=True)) for beginning, lengths in found.items()}


def _entries(path: Path) -> list[str]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save the word list as UTF-8",
            code="bad_encoding",
            where=str(path),
        ) from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror or error}", code="unreadable_file", where=str(path)
        ) from error
    return [line.partition("\t")[0] for line in content.splitlines()]
