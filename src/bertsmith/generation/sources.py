"""Texts as sources: `[CLS] text [SEP]` in segment 0, shortened where they must be, and that counted."""

from collections.abc import Sequence
from dataclasses import dataclass

from bertsmith.batch import Example
from bertsmith.text import Tokenizer


@dataclass(frozen=True, slots=True)
class Read:
    """Sources, and how many texts and tokens shortening cost."""

    examples: tuple[Example, ...]
    truncated_texts: int
    truncated_tokens: int


def read_sources(texts: Sequence[str], tokenizer: Tokenizer, *, longest: int) -> Read:
    """Tokenize texts; the beginning of one that is longer than `longest` tokens, special ones included, is kept."""
    room = longest - tokenizer.overhead(pair=False)
    made = [each.token_ids for each in tokenizer.tokenize(texts)]
    lost = [len(ids) - room for ids in made if len(ids) > room]
    return Read(tuple(tokenizer.assemble(ids[:room]) for ids in made), len(lost), sum(lost))
