"""What corrupting needs to know of a vocabulary, as tables by token id."""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from bertsmith.text import Tokenizer
from bertsmith.text.characters import is_han

_UNUSED = re.compile(r"[\[<]unused.*[\]>]")
_GLUE = re.compile("^(##|▁)")


@dataclass(frozen=True, slots=True, eq=False)
class VocabularyFacts:
    """The special tokens, and tables over all ids.

    `untouchable` ids are never selected: every special token except the separator, which a passage
    may count as the last word of a text to be generated (UniLM). `random_ids` may stand in for
    any token: neither special nor blank nor `[unused1]`. `han` marks single Chinese characters.
    """

    vocab_size: int
    special_ids: frozenset[int]
    mask: int | None
    random_ids: Int[np.ndarray, "choices"]
    untouchable: Bool[np.ndarray, "vocab"]
    han: Bool[np.ndarray, "vocab"]

    @classmethod
    def from_tokenizer(cls, tokenizer: Tokenizer) -> "VocabularyFacts":
        """Ask a tokenizer."""
        size = tokenizer.vocab_size
        names = tokenizer.tokens(range(size))
        usable = [bool(name.strip()) and not _UNUSED.fullmatch(name) for name in names]
        special = _table(size, tokenizer.special_ids)
        return cls(
            vocab_size=size,
            special_ids=tokenizer.special_ids,
            mask=tokenizer.special.mask,
            random_ids=np.flatnonzero(np.array(usable, dtype=bool) & ~special).astype(np.int32),
            untouchable=_table(size, tokenizer.special_ids - {tokenizer.special.sep}),
            han=np.array([_is_han_token(name) for name in names], dtype=bool),
        )


def _table(size: int, ids: frozenset[int]) -> Bool[np.ndarray, "vocab"]:
    table = np.zeros(size, dtype=bool)
    table[sorted(ids)] = True
    return table


def _is_han_token(name: str) -> bool:
    character = _GLUE.sub("", name)
    return len(character) == 1 and is_han(character)
