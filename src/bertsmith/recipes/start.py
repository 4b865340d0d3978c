"""Where a run starts: the encoder and the tokenizer of a checkpoint, or new ones."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from bertsmith.config import parse_config
from bertsmith.encoder import SHAPES, Checkpoint, Encoder, EncoderConfig, load_checkpoint, new_encoder
from bertsmith.encoder.hub import resolve
from bertsmith.encoder.surgery import first_layers, reinitialise_top, stacked, with_dropout
from bertsmith.errors import UserError
from bertsmith.recipes.schema import Start
from bertsmith.text import Tokenizer, train_vocabulary


@dataclass(frozen=True, slots=True)
class Beginning:
    """Encoder, tokenizer, what the checkpoint has on top (pooler ...), and what should be said about them."""

    encoder: Encoder
    tokenizer: Tokenizer
    family: str
    heads: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    dropout: tuple[float, float] | None = None
    """The rates (hidden, attention) that `start.dropout` replaces while it learns."""


def begin(start: Start, texts: Iterable[str], *, seed: int, tokenizer: Tokenizer | None = None) -> Beginning:
    """Load a checkpoint, or draw random weights and train a vocabulary on the texts, unless there is one already.

    Raises:
        UserError: the checkpoint or the shape cannot be had, or tokenizer and weights do not fit.
    """
    if start.model is not None:
        beginning = _from_checkpoint(resolve(start.model), start, seed=seed)
    else:
        tokenizer = tokenizer or _trained_on(texts, start)
        beginning = _from_random_weights(start, tokenizer, seed=seed)
    require_fit(beginning.encoder, beginning.tokenizer)
    return beginning


def shape_of(name: str) -> dict[str, Any]:
    """The sizes of a named shape, or the fields of a JSON file.

    Raises:
        UserError: there is neither such a name nor such a file.
    """
    if name in SHAPES:
        return dict(SHAPES[name])
    path = Path(name)
    if not path.is_file():
        raise UserError(
            f"--encoder {name}: no such shape or file; the shapes are {', '.join(SHAPES)}, "
            "or give a JSON file with the fields of an encoder",
            code="unknown_shape",
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not readable JSON: {error}", code="bad_config", where=str(path)) from None
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold one JSON object", code="bad_config", where=str(path))
    return values


def _from_checkpoint(folder: Path, start: Start, *, seed: int) -> Beginning:
    checkpoint = load_checkpoint(folder)
    encoder, dropout = _with_dropout(checkpoint.encoder, start)
    tokenizer = Tokenizer.from_folder(folder)
    notes = (*checkpoint.report.notes, *left_out(checkpoint), *tokenizer.assumptions)
    heads = checkpoint.heads
    if start.layers is not None:
        notes += (f"only the first {start.layers} of {encoder.config.num_layers} layers are used (start.layers)",)
        encoder = first_layers(encoder, start.layers)
    if start.stack > 1:
        layers = encoder.config.num_layers
        encoder = stacked(encoder, start.stack)
        notes += (
            f"{layers} layers stand {start.stack} times on each other, {layers * start.stack} in all (start.stack)",
        )
    if start.reinit_top:
        reinitialise_top(encoder, start.reinit_top, seed=seed)
        heads = {name: tensors for name, tensors in heads.items() if name != "pooler"}
        first, last = encoder.config.num_layers - start.reinit_top + 1, encoder.config.num_layers
        which = f"layer {last}" if first == last else f"layers {first} to {last}"
        notes += (f"{which} and the pooler start from random weights again, seed {seed} (start.reinit_top)",)
    return Beginning(encoder, tokenizer, checkpoint.family, heads, notes, dropout)


def left_out(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What the file holds and no task uses, in words."""
    names = checkpoint.report.unexpected
    if not names:
        return ()
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (f"left out, without a place in the encoder: {', '.join(names[:5])}{more} of {checkpoint.report.source}",)


def _trained_on(texts: Iterable[str], start: Start) -> Tokenizer:
    chosen = start.vocabulary
    return train_vocabulary(texts, size=chosen.size, min_frequency=chosen.min_frequency, level=chosen.level)


def _from_random_weights(start: Start, tokenizer: Tokenizer, *, seed: int) -> Beginning:
    assert start.encoder is not None
    sizes = {"vocab_size": tokenizer.vocab_size, **shape_of(start.encoder)}
    config = parse_config(EncoderConfig, sizes, where=start.encoder)
    note = (
        f"the encoder ({start.encoder}) starts from random weights, with a vocabulary of {tokenizer.vocab_size:,} "
        "tokens trained on the training texts; a pre-trained checkpoint (--model) usually does much better"
    )
    encoder, dropout = _with_dropout(new_encoder(config, seed=seed, positions=start.positions), start)
    return Beginning(encoder, tokenizer, "bert", notes=(note,), dropout=dropout)


def _with_dropout(encoder: Encoder, start: Start) -> tuple[Encoder, tuple[float, float] | None]:
    """With the dropout that the run asks for, if it does, and the rates (hidden, attention) that it replaces."""
    if start.dropout is None:
        return encoder, None
    replaced = (encoder.config.hidden_dropout, encoder.config.attention_dropout)
    return with_dropout(encoder, hidden=start.dropout, attention=start.dropout), replaced


def require_fit(encoder: Encoder, tokenizer: Tokenizer) -> None:
    """Make sure that every token has a row in the embedding table; spare rows do no harm.

    Raises:
        UserError: there are more tokens than rows.
    """
    rows, needed = encoder.config.vocab_size, tokenizer.vocab_size
    if needed > rows:
        raise UserError(
            f"the tokenizer has {needed:,} tokens, but the embedding table of the weights has {rows:,} rows: "
            "they do not belong together; use the tokenizer files that came with the weights",
            code="vocabulary_mismatch",
        )
