"""Words that may stand in for one another (MacBERT, Cui et al. 2020, arXiv 2004.13922 §3.2)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bertsmith.errors import UserError
from bertsmith.files import write_text
from bertsmith.text.tokenizer import Tokenizer

_CONTEXTS = ("，", "， ")  # a mark no word grows together with; a word may be spelled otherwise after a space


class SimilarTokens:
    """Similar words of one vocabulary, by token ids."""

    def __init__(self, table: Mapping[tuple[int, ...], Int[np.ndarray, "_ _"]]) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def of(self, token_ids: Int[np.ndarray, "tokens"]) -> Int[np.ndarray, "choices tokens"] | None:
        """The words that may stand in for this one, each of as many tokens; None where there is none."""
        return self._table.get(tuple(token_ids.tolist()))


class SimilarWords:
    """A list of words, each with the words most like it."""

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._words = {word: tuple(similar) for word, similar in words.items()}

    @classmethod
    def from_file(cls, path: Path) -> "SimilarWords":
        """Read `word<TAB>similar1 similar2 ...`, a word a line, UTF-8.

        Raises:
            UserError: the file cannot be read, is not UTF-8, a line has another form, or there are no lines.
        """
        words = dict(_line(line, f"{path}:{number}") for number, line in _lines(Path(path)))
        if not words:
            raise UserError(f"{path}: no words in this list of similar words", code="no_similar_words", where=str(path))
        return cls(words)

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __getitem__(self, word: str) -> tuple[str, ...]:
        return self._words[word]

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def save(self, path: Path) -> None:
        """Write the list as `from_file` reads it.

        Raises:
            UserError: the file cannot be written.
        """
        write_text(path, "".join(f"{word}\t{' '.join(similar)}\n" for word, similar in self._words.items()))

    def in_tokens(self, tokenizer: Tokenizer) -> SimilarTokens:
        """Keep what can be put in place: similar words of as many tokens as the word, without unknown ones.

        The paper does not say what happens to lengths; MacBERT's ids are replaced in place. For a
        vocabulary that tells a word after a space from one without, both forms are kept, each apart.
        """
        found: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
        every = list(dict.fromkeys(each for word, similar in self._words.items() for each in (word, *similar)))
        for context in _CONTEXTS:
            ids = dict(zip(every, _ids(every, context, tokenizer), strict=True))
            for word, similar in self._words.items():
                fitting = {ids[each] for each in similar if len(ids[each]) == len(ids[word])} - {ids[word]}
                if fitting and ids[word]:
                    found.setdefault(ids[word], set()).update(fitting)
        return SimilarTokens({word: np.array(sorted(choices), dtype=np.int32) for word, choices in found.items()})


def _ids(words: Sequence[str], context: str, tokenizer: Tokenizer) -> Iterator[tuple[int, ...]]:
    """The token ids of each word behind a context; none where it is unknown or grows together with the context."""
    for tokenized in tokenizer.tokenize([context + word for word in words]):
        starts, ends = tokenized.offsets[:, 0], tokenized.offsets[:, 1]
        ids = tuple(tokenized.token_ids[ends > 1].tolist())
        grown = bool(((starts < 1) & (ends > 1)).any())
        yield () if grown or not tokenizer.special_ids.isdisjoint(ids) else ids


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from ((number, line.strip("\r\n")) for number, line in enumerate(file, 1) if line.strip())
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save the list as UTF-8", code="bad_encoding", where=str(path)) from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror or error}", code="unreadable_file", where=str(path)
        ) from error


def _line(line: str, where: str) -> tuple[str, tuple[str, ...]]:
    word, tab, similar = line.partition("\t")
    if not tab or not word.strip() or not similar.split():
        raise UserError(
            f"{where}: {line[:60]!r} is not of the form word<TAB>similar1 similar2 ...", code="bad_line", where=where
        )
    return word.strip(), tuple(similar.split())
