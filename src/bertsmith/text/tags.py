"""Tag schemes: spans written as one tag a unit, and read back (Ramshaw & Marcus 1995; Ratinov & Roth 2009).

A tag is `O` (outside) or a position and a type, `B-PER`; without a type (word segmentation) just the
position. Units are whatever is tagged: words, characters.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool

SchemeName = Literal["BIO", "IOB1", "BIOES", "BILOU", "BMES"]

OUTSIDE = "O"


class Span(NamedTuple):
    """From `start` to before `end`, of a type; of units or of characters, as the place says."""

    start: int
    end: int
    type: str


class Problem(NamedTuple):
    """A tag at a place where the scheme does not allow it."""

    place: int
    what: str


class Scheme(NamedTuple):
    """How a scheme spells the first, a middle, the last and the only unit of a span.

    BIO (IOB2) has no letters for the last and the only one. IOB1 writes `B` only where a span of the
    same type ends just before.
    """

    name: SchemeName
    begin: str = "B"
    inside: str = "I"
    last: str = "I"
    only: str = "B"

    @property
    def closes(self) -> bool:
        """Whether the end of a span is marked."""
        return self.last != self.inside

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of all positions, each once."""
        return tuple(dict.fromkeys((self.begin, self.inside, self.last, self.only)))

    def tags(self, types: Iterable[str]) -> tuple[str, ...]:
        """Every tag of the scheme for these types, `O` first: also those that no example happens to need."""
        return (OUTSIDE, *(_tag(letter, kind) for kind in types for letter in self.letters))

    def write(self, spans: Iterable[Span], length: int) -> list[str]:
        """The tags of a sequence with these spans.

        Raises:
            ValueError: a span is empty, out of range, or overlaps another.
        """
        tags = [OUTSIDE] * length
        before = Span(0, 0, "")
        for span in sorted(spans):
            if not before.end <= span.start < span.end <= length:
                raise ValueError(f"{span} is empty, leaves the sequence of {length}, or overlaps {before}")
            touches = before.end == span.start and before.end > 0 and before.type == span.type
            tags[span.start : span.end] = self._written(span, touches=touches)
            before = span
        return tags

    def problems(self, tags: Sequence[str]) -> Iterator[Problem]:
        """Where a sequence breaks the scheme."""
        before = OUTSIDE
        for place, tag in enumerate(tags):
            if (letter := parse_tag(tag)[0]) != OUTSIDE and letter not in self.letters:
                yield Problem(place, f"{tag} is no tag of {self.name} ({', '.join(self.letters)}, O)")
            elif not self._may_follow(before, tag):
                yield Problem(place, f"{tag} cannot stand {_after(before)} in {self.name}")
            before = tag
        if tags and not self._may_end(before):
            yield Problem(len(tags) - 1, f"{before} is not closed at the end of the sentence, as {self.name} wants")

    def allowed(self, tags: Sequence[str]) -> "Allowed":
        """Which tags may begin a sequence, follow each other, and end it."""
        return Allowed(
            start=np.array([self._may_follow(OUTSIDE, tag) for tag in tags]),
            steps=np.array([[self._may_follow(before, tag) for tag in tags] for before in tags]),
            end=np.array([self._may_end(tag) for tag in tags]),
        )

    def _written(self, span: Span, *, touches: bool) -> list[str]:
        first, length = self.begin, span.end - span.start
        if self.name == "IOB1":
            first = "B" if touches else "I"
        elif length == 1:
            first = self.only
        letters = [first, *[self.inside] * (length - 2), self.last][:length]
        return [_tag(letter, span.type) for letter in letters]

    def _may_follow(self, before: str, tag: str) -> bool:
        (left, left_type), (right, right_type) = parse_tag(before), parse_tag(tag)
        if self.name == "IOB1":
            return right != "B" or (left != OUTSIDE and left_type == right_type)
        left_open = left in (self.begin, self.inside)
        continues = right in (self.inside, self.last)
        if continues or (self.closes and left_open):
            return continues and left_open and left_type == right_type
        return True

    def _may_end(self, tag: str) -> bool:
        return not (self.closes and parse_tag(tag)[0] in (self.begin, self.inside))


class Allowed(NamedTuple):
    """The grammar of a scheme over numbered tags: `steps[i, j]` says whether `j` may follow `i`."""

    start: Bool[np.ndarray, " tags"]
    steps: Bool[np.ndarray, "tags tags"]
    end: Bool[np.ndarray, " tags"]


SCHEMES: dict[SchemeName, Scheme] = {
    "BIO": Scheme("BIO"),
    "IOB1": Scheme("IOB1"),
    "BIOES": Scheme("BIOES", last="E", only="S"),
    "BILOU": Scheme("BILOU", last="L", only="U"),
    "BMES": Scheme("BMES", inside="M", last="E", only="S"),
}

_INSIDE, _CLOSING = frozenset("IM"), frozenset("ELSU")
_LETTERS = frozenset("BIMELSU")


def parse_tag(tag: str) -> tuple[str, str]:
    """`B-PER` -> `("B", "PER")`; `O` has no type, and a type may hold further hyphens."""
    letter, _, kind = tag.partition("-")
    return letter, kind


def is_tag(tag: str) -> bool:
    """Whether this is a tag of any scheme."""
    letter, hyphen, kind = tag.partition("-")
    return tag == OUTSIDE or (letter in _LETTERS and bool(kind) == bool(hyphen))


def read_spans(tags: Sequence[str]) -> list[Span]:
    """The spans of a sequence in any scheme, also of one that breaks it, as conlleval and seqeval read them.

    A span goes on while its type stays and its position is a middle or a last one; any other tag
    but `O` begins the next.
    """
    spans: list[Span] = []
    going = False
    for place, tag in enumerate(tags):
        letter, kind = parse_tag(tag)
        if going and letter in "IMEL" and spans[-1].type == kind:
            spans[-1] = spans[-1]._replace(end=place + 1)
        elif letter != OUTSIDE:
            spans.append(Span(place, place + 1, kind))
        going = letter != OUTSIDE and letter not in _CLOSING
    return spans


def read_strict_spans(tags: Sequence[str], scheme: Scheme) -> list[Span]:
    """Only the spans that are written as the scheme wants, as seqeval's strict mode reads them."""
    spans, place = [], 0
    while place < len(tags):
        span = _strict_span(tags, place, scheme)
        if span is not None and (not scheme.closes or parse_tag(tags[span.end - 1])[0] in _CLOSING):
            spans.append(span)
        place = span.end if span is not None else place + 1
    return spans


def detect(sequences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme of some tag sequences, by their letters; BIO where nothing speaks against it.

    Only-`I` files and those with `B` just between touching spans are IOB1. What follows no scheme
    is named by its letters, for `problems` to say where it goes wrong.
    """
    rows = [list(row) for row in sequences]
    letters = {parse_tag(tag)[0] for row in rows for tag in row}
    if letters & {"L", "U"}:
        return SCHEMES["BILOU"]
    if "M" in letters:
        return SCHEMES["BMES"]
    if letters & {"E", "S"}:
        return SCHEMES["BIOES"]
    bio, iob1 = SCHEMES["BIO"], SCHEMES["IOB1"]
    if any(True for row in rows for _ in bio.problems(row)) and not any(
        True for row in rows for _ in iob1.problems(row)
    ):
        return iob1
    return bio


def convert(tags: Sequence[str], target: Scheme) -> list[str]:
    """The same spans in another scheme."""
    return target.write(read_spans(tags), len(tags))


def _strict_span(tags: Sequence[str], place: int, scheme: Scheme) -> Span | None:
    """The span that opens here, as far as it goes."""
    letter, kind = parse_tag(tags[place])
    if scheme.name == "IOB1":
        before = parse_tag(tags[place - 1] if place else OUTSIDE)
        touches = before[0] != OUTSIDE and before[1] == kind
        return _going_on(tags, place, kind) if letter == ("B" if touches else "I") else None
    if letter == scheme.only and letter in _CLOSING:
        return Span(place, place + 1, kind)
    return _going_on(tags, place, kind) if letter == scheme.begin else None


def _going_on(tags: Sequence[str], place: int, kind: str) -> Span:
    end = place + 1
    while end < len(tags) and parse_tag(tags[end]) in {(letter, kind) for letter in "IMEL"}:
        end += 1
        if parse_tag(tags[end - 1])[0] in _CLOSING:
            break
    return Span(place, end, kind)


def _tag(letter: str, kind: str) -> str:
    return f"{letter}-{kind}" if kind else letter


def _after(before: str) -> str:
    return "at the beginning or after O" if before == OUTSIDE else f"after {before}"
