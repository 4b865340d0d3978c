"""One text of a user as a passage: what an arrangement makes of a corpus, made of this text alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bertsmith.data.corpus import Paragraph
from bertsmith.data.shards import LINE, WORD, Annotator, TokenRun
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement import Arrangement, NextSentence, SentenceOrder, SourceTarget
from bertsmith.pretraining.arrangement.assembly import pair, single
from bertsmith.pretraining.arrangement.cuts import Kind
from bertsmith.pretraining.passage import Passage
from bertsmith.text import Tokenizer


class LaidOut(NamedTuple):
    """A passage, and how it differs from one that comes from a corpus, if it does."""

    passage: Passage
    note: str | None = None


def annotated(text: str, annotator: Annotator) -> TokenRun:
    """Tokens and units of a text; its lines are paragraphs, a blank line begins another document.

    Raises:
        UserError: there is nothing but white space, or nothing of which the vocabulary makes a token.
    """
    paragraphs, opens = [], True
    for line in map(str.strip, text.splitlines()):
        if line:
            paragraphs.append(Paragraph(line, opens))
        opens = not line
    run = annotator.annotate(paragraphs) if paragraphs else None
    if run is None or not len(run):
        raise UserError(f"the text {text[:40]!r} holds no token; give a text with words", code="blank_text")
    return TokenRun(run.token_ids.astype(np.int32), run.flags)


def lay_out(
    run: TokenRun, others: Sequence[TokenRun], arrange: Arrangement, tokenizer: Tokenizer, rng: np.random.Generator
) -> LaidOut:
    """The whole text as one passage; where the arrangement wants a pair, its sentences are parted in the middle.

    Random second segments come from `others`.
    """
    match arrange:
        case NextSentence():
            drawn = Kind.RANDOM if rng.random() < arrange.random_share else Kind.PAIR
        case SentenceOrder():
            drawn = Kind.SWAPPED if rng.random() < arrange.swapped_share else Kind.PAIR
        case SourceTarget():
            drawn = Kind.SOURCE
        case _:
            return LaidOut(single(run, tokenizer))
    if len(run) < 2:
        return LaidOut(single(run, tokenizer), "a single token: there is no pair to be made of it")
    return _pair(run, others, drawn, tokenizer, rng)


def _pair(
    run: TokenRun, others: Sequence[TokenRun], kind: Kind, tokenizer: Tokenizer, rng: np.random.Generator
) -> LaidOut:
    middle, note = _middle(run)
    first, second = run[:middle], run[middle:]
    if kind == Kind.RANDOM and others:
        other = others[int(rng.integers(len(others)))]
        second = other[_middle(other)[0] :] if len(other) > 1 else other
    elif kind == Kind.RANDOM:
        kind, note = Kind.PAIR, "with one text the pair is always a true one; give more texts to see random ones"
    elif kind == Kind.SWAPPED:
        first, second = second, first
    return LaidOut(pair(first, second, kind, tokenizer), note)


def _middle(run: TokenRun) -> tuple[int, str | None]:
    """The sentence, or in a single one the word, with which the second half begins."""
    sentences = _inner(run, LINE)
    if len(sentences):
        return int(sentences[len(sentences) // 2]), None
    words = _inner(run, WORD)
    middle = int(words[len(words) // 2]) if len(words) else len(run) // 2
    return middle, "a single sentence, parted in its middle; a corpus pairs whole sentences"


def _inner(run: TokenRun, flag: int) -> np.ndarray:
    return np.flatnonzero(run.flags[1:] & flag) + 1
