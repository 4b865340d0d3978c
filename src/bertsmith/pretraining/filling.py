"""Which tokens the model would put into holes: to see what it has learned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from bertsmith.encoder import AttentionMask, Bidirectional, Encoder, RightToLeft
from bertsmith.errors import UserError
from bertsmith.heads import VocabularyHead
from bertsmith.pretraining.exercise import Answers, Exercise, pack_exercises
from bertsmith.pretraining.generator import TokenGenerator
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.reading import head_of
from bertsmith.pretraining.sight import sight
from bertsmith.text import Tokenizer

HOLE = "[MASK]"
"""How a hole is written in a text, whatever the vocabulary calls its mask token."""
_CONTEXT = 24
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Guess:
    """A token and how likely the model takes it to be."""

    token: str
    probability: float


@dataclass(frozen=True, slots=True)
class FillIn:
    """A hole between the words around it, the right token where it is known, and the best guesses, best first.

    What the model does not see of the text (behind the hole, for a causal model) is left out.
    """

    before: str
    after: str
    answer: str | None
    guesses: tuple[Guess, ...]

    @property
    def right(self) -> bool:
        """Whether the best guess is the right token."""
        return self.answer is not None and self.guesses[0].token == self.answer


def fill_texts(model: Pretrainer, texts: Sequence[str], tokenizer: Tokenizer, *, top: int = 5) -> list[list[FillIn]]:
    """The best guesses for every `[MASK]` written in each text.

    Raises:
        UserError: a text has no hole, or the vocabulary has no mask token.
    """
    exercises = [_with_holes(text, tokenizer) for text in texts]
    return [list(_filled(model, each, Bidirectional(), tokenizer, top, len(each))) for each in exercises]


def fill_exercises(
    model: Pretrainer,
    exercises: Sequence[Exercise],
    attend: AttentionMask,
    tokenizer: Tokenizer,
    *,
    top: int = 5,
    most: int = 3,
) -> list[FillIn]:
    """The best guesses for what exercises ask, at most `most` tokens of each, spread over its text."""
    return [fill for each in exercises for fill in _filled(model, each, attend, tokenizer, top, most)]


def _filled(
    model: Pretrainer, exercise: Exercise, attend: AttentionMask, tokenizer: Tokenizer, top: int, most: int
) -> Iterator[FillIn]:
    asked = exercise.hidden if exercise.hidden is not None else exercise.next
    if asked is None or not len(asked.rows):
        return
    chosen = np.unique(np.linspace(0, len(asked.rows) - 1, min(most, len(asked.rows))).round().astype(np.int64))
    chances, ids = _best(model, exercise, attend, asked.rows[chosen], tokenizer.vocab_size)
    for place, number in enumerate(chosen.tolist()):
        names = tokenizer.tokens(ids[place, :top])
        label = int(asked.labels[number])
        before, after = _around(exercise, int(asked.rows[number]), attend, tokenizer)
        yield FillIn(
            before=before,
            after=after,
            answer=None if label == _UNKNOWN else tokenizer.tokens([label])[0],
            guesses=tuple(map(Guess, names, chances[place, :top].tolist())),
        )


def _with_holes(text: str, tokenizer: Tokenizer) -> Exercise:
    pieces = text.split(HOLE)
    mask = tokenizer.special.mask
    if mask is None:
        raise UserError("this vocabulary has no mask token: there is no way to write a hole", code="no_mask_token")
    if len(pieces) == 1:
        raise UserError(f"the text {text[:40]!r} has no hole; write {HOLE} where a token is to be guessed")
    tokenized = [piece.token_ids for piece in tokenizer.tokenize(pieces)]
    joined = np.concatenate([part for piece in tokenized for part in ([mask], piece)][1:]).astype(np.int32)
    example = tokenizer.assemble(joined)
    rows = np.flatnonzero(example.token_ids == mask)
    return Exercise(example, hidden=Answers(rows, np.full(len(rows), _UNKNOWN)))


@torch.inference_mode()
def _best(
    model: Pretrainer, exercise: Exercise, attend: AttentionMask, rows: Int[np.ndarray, "rows"], choices: int
) -> tuple[Float[np.ndarray, "rows choices"], Int[np.ndarray, "rows choices"]]:
    """Probabilities over the first `choices` ids at some rows, sorted, and the ids; dropout is off."""
    encoder, head = _reader(model)
    table = encoder.embeddings.token.weight
    was_training = model.training
    model.eval()
    try:
        batch = pack_exercises([exercise], attend).to(table.device)
        states = encoder(batch.texts, batch.attend).last[torch.from_numpy(rows).to(table.device)]
        chances = head.scores(states, table).float()[:, :choices].softmax(-1)
    finally:
        model.train(was_training)
    values, ids = chances.cpu().sort(descending=True, stable=True)
    return values.numpy(), ids.numpy()


def _reader(model: Pretrainer) -> tuple[Encoder, VocabularyHead]:
    """What names tokens: the encoder with its own head, or ELECTRA's generator."""
    if "mlm" in model.heads:
        return model.encoder, head_of(model.heads, "mlm", VocabularyHead)
    if "generator" in model.heads:
        generator = head_of(model.heads, "generator", TokenGenerator)
        return generator.encoder, generator.mlm
    raise UserError("this model names no tokens: none of its losses has a head over the vocabulary", code="no_task")


def _around(exercise: Exercise, row: int, attend: AttentionMask, tokenizer: Tokenizer) -> tuple[str, str]:
    """What the model sees on either side of the hole; what it does not see in between is a hole too."""
    hole = _hole(exercise, row, attend)
    ids = exercise.example.token_ids.copy()
    seen = sight(exercise, attend)[row]
    seen[hole] = False
    if exercise.position_ids is not None and exercise.hidden is not None:
        seen[exercise.hidden.rows] = False
    if tokenizer.special.mask is not None:
        ids[~seen] = tokenizer.special.mask
    places = np.flatnonzero(seen)
    before, after = places[places < hole], places[places > hole]
    return (
        tokenizer.decode(ids[before[0] : hole][-_CONTEXT:]) if len(before) else "",
        tokenizer.decode(ids[hole + 1 : after[-1] + 1][:_CONTEXT]) if len(after) else "",
    )


def _hole(exercise: Exercise, row: int, attend: AttentionMask) -> int:
    """Where in the text the token stands that is asked for at this row."""
    if exercise.position_ids is not None:
        return int(exercise.position_ids[row])
    if exercise.hidden is not None:
        return row
    return row - 1 if isinstance(attend, RightToLeft) else row + 1
