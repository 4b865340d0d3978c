"""One passage as an exercise: what the encoder reads of it, and what it is asked; and many of them packed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bertsmith.batch import Example, pack
from bertsmith.encoder import AttentionMask, Causal, Permutation, PrefixLM, RightToLeft
from bertsmith.pretraining.batches import PretrainBatch, SpanTargets, TokenTargets, with_asked
from bertsmith.pretraining.corruption import Corrupted
from bertsmith.pretraining.objective import Part
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.replacement import count_outcomes
from bertsmith.pretraining.vocabulary import VocabularyFacts
from bertsmith.text.similar import SimilarTokens

Places = Int[np.ndarray, "targets"]


@dataclass(frozen=True, slots=True)
class Answers:
    """The right tokens, and where each is asked for: `rows` and, for spans, `right` are places in the text."""

    rows: Places
    labels: Places
    right: Places | None = None
    places: Places | None = None


@dataclass(frozen=True, slots=True)
class Exercise:
    """A text as the encoder reads it, with its answers; None where nothing of that kind is asked.

    `position_ids` and `order` differ from the usual only under the Permutation mask, `outcomes` says
    what each of the hidden tokens became, a place in `OUTCOMES`.
    """

    example: Example
    hidden: Answers | None = None
    next: Answers | None = None
    spans: Answers | None = None
    relation: int | None = None
    position_ids: Int[np.ndarray, "tokens"] | None = None
    order: Int[np.ndarray, "tokens"] | None = None
    outcomes: Int[np.ndarray, "hidden"] | None = None

    def __len__(self) -> int:
        return len(self.example)


def exercise(
    passage: Passage,
    part: Part,
    vocabulary: VocabularyFacts,
    rng: np.random.Generator,
    similar: SimilarTokens | None = None,
) -> Exercise:
    """Corrupt a passage as a part of an objective says, and ask what its losses ask; the generator decides all chances.

    Raises:
        UserError: the corruption lacks what it needs.
    """
    losses = part.losses
    made = Exercise(passage.example)
    if part.corrupt is not None:
        corrupted = part.corrupt.corrupt(passage, vocabulary, rng, similar)
        made = _with_hidden_tokens(passage, corrupted)
        if losses.span_boundary:
            answers = _from_borders(passage, corrupted, losses.span_boundary.longest)
            made = replace(made, spans=answers)
    if isinstance(part.attend, Permutation):
        assert vocabulary.mask is not None
        made = _with_queries(made, vocabulary.mask, rng)
    if losses.next_token:
        made = replace(made, next=_next_tokens(passage.example, part.attend))
    return replace(made, relation=passage.relation if losses.pair_relation else None)


def _with_hidden_tokens(passage: Passage, corrupted: Corrupted) -> Exercise:
    """The corrupted text; asked are the hidden tokens."""
    return Exercise(
        Example(corrupted.token_ids.astype(np.int32), passage.example.segment_ids),
        hidden=Answers(corrupted.targets, corrupted.labels),
        outcomes=corrupted.outcomes,
    )


def _with_queries(exercise: Exercise, mask_id: int, rng: np.random.Generator) -> Exercise:
    """Add a [MASK] token at the position of every target, in a random order of prediction.

    XLNet's second stream (Yang et al. 2019, arXiv 1906.08237 §2.3) as extra tokens of the same
    sequence; see `Permutation` for what `order` lets them see.
    """
    assert exercise.hidden is not None
    targets, example = exercise.hidden.rows, exercise.example
    rank = rng.permutation(len(targets))
    order = np.full(len(example), -1)
    order[targets] = 2 * rank + 1
    both = Example(
        np.concatenate([example.token_ids, np.full(len(targets), mask_id, dtype=np.int32)]),
        np.concatenate([example.segment_ids, example.segment_ids[targets]]),
    )
    return replace(
        exercise,
        example=both,
        hidden=Answers(len(example) + np.arange(len(targets)), exercise.hidden.labels),
        position_ids=np.concatenate([np.arange(len(example)), targets]),
        order=np.concatenate([order, 2 * rank]),
    )


def _next_tokens(original: Example, attend: AttentionMask) -> Answers:
    """What follows each token in the direction of the mask; under PrefixLM only the second segment is asked for."""
    places = np.arange(len(original) - 1)
    match attend:
        case Causal():
            rows, asked = places, places + 1
        case RightToLeft():
            rows, asked = places + 1, places
        case PrefixLM():
            rows = places[original.segment_ids[1:] > 0]
            asked = rows + 1
        case _:
            raise ValueError(f"under {attend.kind} a token sees the next one; there is nothing to be predicted")
    return Answers(rows, original.token_ids[asked])


def _from_borders(passage: Passage, corrupted: Corrupted, longest: int) -> Answers:
    """The first `longest` tokens of every hidden span that has a token of text on either side.

    A span at the edge of its text borders on nothing (Joshi et al. 2020, authors' code).
    """
    length, tokens = len(passage), passage.example.token_ids
    opened = np.bincount(passage.words[:, 0], minlength=length + 1)
    closed = np.bincount(passage.words[:, 1], minlength=length + 1)
    text = np.append(np.cumsum(opened - closed), 0) > 0
    spans = corrupted.spans[text[corrupted.spans[:, 0] - 1] & text[corrupted.spans[:, 1]]]
    sizes = np.minimum(spans[:, 1] - spans[:, 0], longest)
    places = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Answers(
        rows=np.repeat(spans[:, 0] - 1, sizes),
        right=np.repeat(spans[:, 1], sizes),
        places=places,
        labels=tokens[np.repeat(spans[:, 0], sizes) + places],
    )


def pack_exercises(exercises: Sequence[Exercise], attend: AttentionMask) -> PretrainBatch:
    """Lay exercises of one kind end to end."""
    texts = pack([exercise.example for exercise in exercises])
    if isinstance(attend, Permutation):
        texts = replace(
            texts,
            position_ids=_joined([exercise.position_ids for exercise in exercises]),
            order=_joined([exercise.order for exercise in exercises]),
        )
    bases = np.cumsum([0, *texts.lengths[:-1]])
    relations = [exercise.relation for exercise in exercises if exercise.relation is not None]
    batch = PretrainBatch(
        texts=texts,
        attend=attend,
        hidden=_tokens([exercise.hidden for exercise in exercises], bases),
        next=_tokens([exercise.next for exercise in exercises], bases),
        spans=_spans([exercise.spans for exercise in exercises], bases),
        relations=torch.tensor(relations) if len(relations) == len(exercises) else None,
        counts=_counted([exercise.outcomes for exercise in exercises]),
    )
    return with_asked(batch)


def _counted(outcomes: Sequence[np.ndarray | None]) -> dict[str, int]:
    some = [each for each in outcomes if each is not None]
    return count_outcomes(np.concatenate(some)) if some else {}


def _tokens(answers: Sequence[Answers | None], bases: np.ndarray) -> TokenTargets | None:
    asked = [(answer, base) for answer, base in zip(answers, bases, strict=True) if answer is not None]
    if not asked:
        return None
    return TokenTargets(
        rows=_joined([answer.rows + base for answer, base in asked]),
        labels=_joined([answer.labels for answer, _ in asked]),
    )


def _spans(answers: Sequence[Answers | None], bases: np.ndarray) -> SpanTargets | None:
    borders = _tokens(answers, bases)
    if borders is None:
        return None
    asked = [(answer, base) for answer, base in zip(answers, bases, strict=True) if answer is not None]
    return SpanTargets(
        left=borders.rows,
        right=_joined([answer.right + base for answer, base in asked if answer.right is not None]),
        places=_joined([answer.places for answer, _ in asked]),
        labels=borders.labels,
    )


def _joined(arrays: Sequence[np.ndarray | None]) -> Tensor:
    return torch.from_numpy(np.concatenate([array for array in arrays if array is not None]).astype(np.int64))
