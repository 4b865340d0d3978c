"""The units of a text that get a tag, and which token stands for each."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

from bertsmith.text.characters import is_blank, is_han
from bertsmith.text.tags import Span
from bertsmith.text.tokenized import Tokenized
from bertsmith.text.tokenizer import Tokenizer
from bertsmith.text.words import LETTER, LatinSegmenter

UnitKind = Literal["words", "characters"]
"""`words`: runs of letters and digits, every Chinese character and every mark alone; `characters`: each alone."""

Places = Int[np.ndarray, "_ 2"]


@dataclass(frozen=True, slots=True)
class Aligned:
    """A text as tokens; `firsts` is the first token of each unit, the one that carries its tag.

    A unit the tokenizer makes nothing of (a lone accent) shares the token of the one before; -1 where
    there is none.
    """

    token_ids: Int[np.ndarray, "tokens"]
    firsts: Int[np.ndarray, "units"]


def find_units(text: str, kind: UnitKind) -> Places:
    """The characters of each unit, end exclusive; nothing invisible is a unit, an accent belongs to its letter."""
    spans = LatinSegmenter()(text) if kind == "words" else [(place, place + 1) for place in range(len(text))]
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and found[-1][1] == start and _goes_on(text, start, kind):
            found[-1] = found[-1][0], end
        elif not is_blank(text[start:end]):
            found.append((start, end))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def align(texts: Sequence[str], units: Sequence[Places], tokenizer: Tokenizer) -> list[Aligned]:
    """Tokenize texts so that no token covers two units, and none goes on into the next.

    A text goes to the tokenizer as it is. Only where units cut through a word (`1963` of four
    characters that are tagged one by one) it goes with a space between all units.
    """
    aligned: list[Aligned] = []
    joined: list[int] = []
    for number, (tokenized, places) in enumerate(zip(tokenizer.tokenize(texts), units, strict=True)):
        made = None if _cuts_words(texts[number], places) else _aligned(tokenized, places, len(texts[number]))
        if made is None:
            joined.append(number)
        aligned.append(made or Aligned(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)))
    parted = [_parted(texts[number], units[number]) for number in joined]
    for number, tokenized, (text, places) in zip(
        joined, tokenizer.tokenize([text for text, _ in parted]), parted, strict=True
    ):
        made = _aligned(tokenized, places, len(text), joins=True)
        assert made is not None
        aligned[number] = made
    return aligned


def units_of_spans(spans: Sequence[Span], places: Places) -> tuple[list[Span], int]:
    """Spans of characters as spans of whole units, and how many of them do not fit exactly.

    A span that begins or ends inside a unit is widened to it; one whose units are all taken, or that
    covers none, is left out. Spans come in order.
    """
    found: list[Span] = []
    unfit, free = 0, 0
    for span in spans:
        first = int(np.searchsorted(places[:, 1], span.start, side="right"))
        last = int(np.searchsorted(places[:, 0], span.end, side="left"))
        start = max(first, free)
        exact = start < last and places[start, 0] == span.start and places[last - 1, 1] == span.end
        unfit += not exact
        if start < last:
            found.append(Span(start, last, span.type))
            free = last
    return found, unfit


def spans_of_units(spans: Sequence[Span], places: Places) -> list[Span]:
    """Spans of units as spans of characters."""
    return [Span(int(places[span.start, 0]), int(places[span.end - 1, 1]), span.type) for span in spans]


def text_of_tokens(tokens: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A text that tokens may have been cut from, and the characters of each.

    Between two tokens stands a space, but none beside a Chinese character or a mark of Chinese type,
    and none between single characters of a sentence with Chinese in it: `1 9 6 3 年` is `1963年`.
    """
    chinese = any(is_han(character) for token in tokens for character in token)
    text = ""
    places: list[tuple[int, int]] = []
    for number, token in enumerate(tokens):
        single = chinese and number > 0 and len(token) == len(tokens[number - 1]) == 1
        if number and not single and not (_is_wide(text[-1:]) or _is_wide(token[:1])):
            text += " "
        places.append((len(text), len(text) + len(token)))
        text += token
    return text, tuple(places)


def _goes_on(text: str, place: int, kind: UnitKind) -> bool:
    """Whether an accent stands here, or, in a word, the letter after one."""
    if _is_mark(text[place]):
        return True
    return kind == "words" and _is_mark(text[place - 1]) and LETTER.match(text, place) is not None


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _is_wide(character: str) -> bool:
    return is_han(character) or "\u3000" <= character <= "\u30ff" or "\uff00" <= character <= "\uffef"


def _aligned(tokenized: Tokenized, places: Places, length: int, *, joins: bool = False) -> Aligned | None:
    """The first token of each unit; None where a token covers two units and must not (`joins`)."""
    owner = np.full(length + 1, -1, dtype=np.int64)
    for number, (start, end) in enumerate(places.tolist()):
        owner[start:end] = number
    starts, ends = tokenized.offsets[:, 0], tokenized.offsets[:, 1]
    left, right = owner[starts], owner[np.maximum(ends - 1, starts)]
    if not joins and ((left >= 0) & (right >= 0) & (left != right)).any():
        return None
    unit = np.where(left >= 0, left, right)
    firsts = np.full(len(places), len(tokenized), dtype=np.int64)
    known = unit >= 0
    np.minimum.at(firsts, unit[known], np.flatnonzero(known))
    firsts[firsts == len(tokenized)] = -1
    return Aligned(tokenized.token_ids, np.maximum.accumulate(firsts))


def _cuts_words(text: str, places: Places) -> bool:
    """Whether a unit begins inside a word; characters that tokenizers drop part no words."""
    for start in places[:, 0].tolist():
        before = start - 1
        while before >= 0 and _is_dropped(text[before]):
            before -= 1
        if before >= 0 and LETTER.match(text, start) and LETTER.match(text, before):
            return True
    return False


def _is_dropped(character: str) -> bool:
    if character == "\ufffd" or _is_mark(character):
        return True
    return unicodedata.category(character) in ("Cc", "Cf") and not character.isspace()


def _parted(text: str, places: Places) -> tuple[str, Places]:
    """The units with a space between them, and where they stand then."""
    sizes = places[:, 1] - places[:, 0]
    starts = np.cumsum(sizes + 1) - sizes - 1
    return " ".join(text[start:end] for start, end in places.tolist()), np.stack([starts, starts + sizes], axis=1)
