"""What an objective makes of a text, as people and programs want to see it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bertsmith.data.shards import Annotator, TokenRun
from bertsmith.encoder import Bidirectional, Permutation, RightToLeft
from bertsmith.errors import UserError
from bertsmith.pretraining.arrangement import SentenceOrder
from bertsmith.pretraining.corruption import rng_for
from bertsmith.pretraining.exercise import Exercise, exercise
from bertsmith.pretraining.laying import annotated, lay_out
from bertsmith.pretraining.objective import Objective, Part
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.replacement import OUTCOMES
from bertsmith.pretraining.sight import sight
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text import Tokenizer
from bertsmith.text.similar import SimilarTokens

GENERATED = (
    "these are the holes; in training a small generator fills them, and the encoder finds the tokens it replaced"
)
NOTHING = "nothing is hidden: every unit holds a token that the vocabulary does not know"
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ShownTarget:
    """A token to be named: where it stands in the text, and at which place of the input it is asked for.

    `kind` says what stands there instead: mask, random, same, similar, degraded (similar was wanted,
    random it is); query: a token of its own asks (permutation); next: the neighbour asks.
    """

    position: int
    asked_at: int
    token: str
    kind: str


@dataclass(frozen=True, slots=True)
class ShownSpan:
    """Hidden tokens without a gap, end exclusive; `borders` are the tokens they are also told from (SpanBERT)."""

    start: int
    end: int
    borders: Range | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """One text under one part of an objective, special tokens in place.

    `sees` has a row for every token of the input, 1 where it sees that column, and is None where all
    see all; `order` holds the positions in the order of their prediction (permutation).
    """

    tokens: tuple[str, ...]
    input: tuple[str, ...]
    segments: tuple[int, ...]
    words: tuple[Range, ...]
    targets: tuple[ShownTarget, ...]
    spans: tuple[ShownSpan, ...] = ()
    relation: str | None = None
    order: tuple[int, ...] = ()
    sees: tuple[tuple[int, ...], ...] | None = None
    variant: str | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values; what does not apply is left out."""
        told: dict[str, Any] = {"variant": self.variant} if self.variant else {}
        told |= {"tokens": list(self.tokens), "input": list(self.input)}
        told["targets"] = [
            {"position": each.position, "asked_at": each.asked_at, "token": each.token, "kind": each.kind}
            for each in self.targets
        ]
        told |= {"segments": list(self.segments), "words": [list(word) for word in self.words]}
        told["spans"] = [_span_json(span) for span in self.spans]
        more = {"relation": self.relation, "order": list(self.order), "sees": self.sees, "notes": list(self.notes)}
        return told | {name: value for name, value in more.items() if value}


def _span_json(span: ShownSpan) -> dict[str, Any]:
    borders = {} if span.borders is None else {"borders": list(span.borders)}
    return {"start": span.start, "end": span.end, **borders}


@dataclass(frozen=True)
class Showing:
    """Shows what becomes of texts; the same seed gives the same holes."""

    objective: Objective
    annotator: Annotator
    similar: SimilarTokens | None = None
    seed: int = 0

    @cached_property
    def vocabulary(self) -> VocabularyFacts:
        """What corrupting needs to know of the vocabulary."""
        return VocabularyFacts.from_tokenizer(self.annotator.tokenizer)

    @cached_property
    def parts(self) -> dict[str | None, Part]:
        """The parts of the objective under the names of their variants."""
        names: list[str | None] = [*(self.objective.mixture or self.objective.stages)]
        names = names or [None]
        return dict(zip(names, self.objective.parts, strict=True))

    def show(self, texts: Sequence[str], variant: str | None = None) -> list[list[Shown]]:
        """For every text what each variant makes of it, or the one that is named.

        Raises:
            UserError: a text holds no token, there is no such variant, or the corruption lacks what it needs.
        """
        if variant is not None and variant not in self.parts:
            known = ", ".join(name for name in self.parts if name) or "none: all texts are treated alike"
            raise UserError(f"--variant {variant}: the variants of this objective are {known}", code="bad_usage")
        runs = [annotated(text, self.annotator) for text in texts]
        names = self.parts if variant is None else (variant,)
        return [[self._shown(runs, number, name) for name in names] for number in range(len(runs))]

    def _shown(self, runs: Sequence[TokenRun], number: int, variant: str | None) -> Shown:
        part, tokenizer = self.parts[variant], self.annotator.tokenizer
        part.require(self.vocabulary, self.similar)
        rng = np.random.default_rng([self.seed, number])
        laid = lay_out(runs[number], [*runs[:number], *runs[number + 1 :]], part.arrange, tokenizer, rng)
        made = exercise(laid.passage, part, self.vocabulary, rng_for(self.seed, 0, number), self.similar)
        notes = [laid.note, GENERATED if part.losses.replaced_tokens else None]
        if made.hidden is not None and not len(made.hidden.rows):
            notes.append(NOTHING)
        shown = shown_exercise(laid.passage, made, part, tokenizer)
        return replace(shown, variant=variant, notes=tuple(filter(None, notes)))


def shown_exercise(passage: Passage, made: Exercise, part: Part, tokenizer: Tokenizer) -> Shown:
    """An exercise in names of tokens."""
    targets = tuple(_targets(made, part, tokenizer))
    hidden = sorted(target.position for target in targets if target.kind != "next")
    return Shown(
        tokens=tuple(tokenizer.tokens(passage.example.token_ids)),
        input=tuple(tokenizer.tokens(made.example.token_ids)),
        segments=tuple(made.example.segment_ids.tolist()),
        words=tuple((start, end) for start, end in passage.words.tolist()),
        targets=targets,
        spans=tuple(_spans(hidden, made)),
        relation=_relation(made, part),
        order=_order(made),
        sees=_sees(made, part),
    )


def _targets(made: Exercise, part: Part, tokenizer: Tokenizer) -> Iterator[ShownTarget]:
    if made.hidden is not None and made.outcomes is not None:
        rows = made.hidden.rows
        places = rows if made.position_ids is None else made.position_ids[rows]
        names = tokenizer.tokens(made.hidden.labels)
        kinds = [OUTCOMES[outcome] for outcome in made.outcomes.tolist()]
        if isinstance(part.attend, Permutation):
            kinds = ["query"] * len(kinds)
        yield from map(ShownTarget, places.tolist(), rows.tolist(), names, kinds)
    if made.next is not None:
        step = -1 if isinstance(part.attend, RightToLeft) else 1
        for row, name in zip(made.next.rows.tolist(), tokenizer.tokens(made.next.labels), strict=True):
            yield ShownTarget(row + step, row, name, "next")


def _spans(hidden: Sequence[int], made: Exercise) -> Iterator[ShownSpan]:
    borders: dict[int, Range] = {}
    if made.spans is not None:
        assert made.spans.right is not None
        borders = {left + 1: (left, right) for left, right in zip(made.spans.rows, made.spans.right, strict=True)}
    start = 0
    for place in range(1, len(hidden) + 1):
        if place == len(hidden) or hidden[place] != hidden[place - 1] + 1:
            first = hidden[start]
            found = borders.get(first)
            yield ShownSpan(first, hidden[place - 1] + 1, found and (int(found[0]), int(found[1])))
            start = place


def _relation(made: Exercise, part: Part) -> str | None:
    if made.relation is None:
        return None
    if isinstance(part.arrange, SentenceOrder):
        return "swapped" if made.relation else "in order"
    return "random" if made.relation else "next"


def _order(made: Exercise) -> tuple[int, ...]:
    if made.order is None or made.position_ids is None or made.hidden is None:
        return ()
    queries = made.hidden.rows[np.argsort(made.order[made.hidden.rows])]
    return tuple(made.position_ids[queries].tolist())


def _sees(made: Exercise, part: Part) -> tuple[tuple[int, ...], ...] | None:
    if isinstance(part.attend, Bidirectional):
        return None
    return tuple(map(tuple, sight(made, part.attend).astype(int).tolist()))
