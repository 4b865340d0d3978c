"""A checkpoint with another vocabulary: cut down to a corpus, or grown by the words of a domain."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data.corpus import Corpus
from bertsmith.encoder import Checkpoint, Encoder, load_checkpoint, resize_tokens, save_checkpoint
from bertsmith.encoder.hub import resolve
from bertsmith.files import atomic_folder
from bertsmith.finetuning import renumbered_ngrams, require_room
from bertsmith.recipes.schema import merged, read_yaml, require_corpus
from bertsmith.recipes.start import require_fit
from bertsmith.recipes.watching import Say, Watch, silent
from bertsmith.text import (
    Level,
    Respelled,
    Tokenizer,
    count_tokens,
    extend_vocabulary,
    frequent_words,
    prune_vocabulary,
    respell,
)

C = TypeVar("C", bound=Config)
Heads = dict[str, dict[str, Tensor]]

NGRAMS, OF_NGRAMS = "ngrams.keys", ("ngrams.idf", "ngrams.weight")
"""Tensors of a fine-tuned model that have a row for each n-gram."""


class Pruning(Config):
    """Keep the tokens that a corpus has at least `least_count` times, the most frequent ones if `size` is given."""

    kind: Literal["prune"] = "prune"
    model: str
    corpus: Corpus
    least_count: PositiveInt = 1
    size: PositiveInt | None = None


class Extension(Config):
    """Add words: those of a file, one a line, or the `size` most frequent ones of a corpus that are no token yet.

    `level` says whether Chinese is cut into characters, or into words first (WoBERT, Su 2020), which
    Chinese words of several characters need; None: as the checkpoint has it.
    """

    kind: Literal["extend"] = "extend"
    model: str
    words: Path | None = None
    corpus: Corpus | None = None
    size: PositiveInt = 1000
    least_count: PositiveInt = 5
    level: Level | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Extension":
        if (self.words is None) == (self.corpus is None):
            raise ValueError("give either words (a file, one a line) or corpus (its most frequent words are taken)")
        return self


def vocabulary_recipe(
    kind: type[C], *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> C:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: something is missing, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    chosen = with_settings(merged(below, given), settings)
    if kind is Pruning:
        require_corpus({"corpus": {}, **chosen})
    return parse_config(kind, chosen, where=str(file) if file else None)


@dataclass(frozen=True, slots=True)
class Resized:
    """A checkpoint under its new vocabulary, beside what it was; `corpus` compares both on the corpus given."""

    before: Checkpoint
    tokenizer: Tokenizer
    encoder: Encoder
    heads: Heads
    config_extras: dict[str, Any]
    added: tuple[str, ...] = ()
    corpus: Respelled | None = None
    notes: tuple[str, ...] = ()

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write config.json, weights and tokenizer in the Hugging Face layout, all or nothing; returns remarks.

        Raises:
            UserError: the folder cannot be written.
        """
        with atomic_folder(folder) as temporary:
            self.tokenizer.save(temporary)
            return save_checkpoint(
                temporary,
                self.encoder,
                family=self.before.family,
                heads=self.heads,
                config_extras=self.config_extras,
            )

    def summary(self) -> dict[str, Any]:
        """The object `vocabulary --json` prints, without `out`."""
        rows = [encoder.config.vocab_size for encoder in (self.before.encoder, self.encoder)]
        sizes = [_bytes(self.before.encoder, self.before.heads), _bytes(self.encoder, self.heads)]
        return {
            "rows": {"before": rows[0], "after": rows[1]},
            "bytes": {"before": sizes[0], "after": sizes[1], "saved": sizes[0] - sizes[1]},
            "added": list(self.added),
            "corpus": None if self.corpus is None else _shares(self.corpus),
            "notes": list(self.notes),
        }


def prune(recipe: Pruning, *, say: Say = silent) -> Resized:
    """Leave out the tokens that a corpus does not have; what is left gives the outputs it gave.

    Raises:
        UserError: the checkpoint or the corpus cannot be read, or the tokenizer is not WordPiece.
    """
    checkpoint, tokenizer = _loaded(recipe.model)
    watch = Watch(say)
    counts = count_tokens(watch.texts(recipe.corpus.paragraphs(), "counting tokens"), tokenizer)
    pruned, kept = prune_vocabulary(tokenizer, counts, at_least=recipe.least_count, size=recipe.size)
    encoder, heads = resize_tokens(checkpoint.encoder, checkpoint.heads, kept=kept)
    return Resized(
        before=checkpoint,
        tokenizer=pruned,
        encoder=encoder,
        **_renumbered(checkpoint, heads, kept, ids=encoder.config.vocab_size),
        corpus=respell(watch.texts(recipe.corpus.paragraphs(), "comparing"), tokenizer, pruned),
        notes=_notes(recipe.model, checkpoint),
    )


def extend(recipe: Extension, *, say: Say = silent) -> Resized:
    """Add words at the end of the vocabulary, each the mean of its pieces; what was there gives the outputs it gave.

    Raises:
        UserError: the checkpoint, the words or the corpus cannot be read, the tokenizer is not
            WordPiece, or would never make a token of one of the words.
    """
    checkpoint, tokenizer = _loaded(recipe.model, recipe.level)
    watch = Watch(say)
    words = list(_words(recipe, tokenizer, watch))
    extended, pieces = extend_vocabulary(tokenizer, words)
    kept = np.arange(tokenizer.vocab_size)
    encoder, heads = resize_tokens(checkpoint.encoder, checkpoint.heads, kept=kept, pieces=list(pieces.values()))
    texts = watch.texts(recipe.corpus.paragraphs(), "comparing") if recipe.corpus else None
    return Resized(
        before=checkpoint,
        tokenizer=extended,
        encoder=encoder,
        **_renumbered(checkpoint, heads, kept, ids=encoder.config.vocab_size),
        added=tuple(pieces),
        corpus=None if texts is None else respell(texts, tokenizer, extended),
        notes=(*_word_notes(words, pieces, tokenizer), *_notes(recipe.model, checkpoint)),
    )


def _loaded(model: str, level: Level | None = None) -> tuple[Checkpoint, Tokenizer]:
    folder = resolve(model)
    checkpoint, tokenizer = load_checkpoint(folder), Tokenizer.from_folder(folder, level=level)
    require_fit(checkpoint.encoder, tokenizer)
    return checkpoint, tokenizer


def _words(recipe: Extension, tokenizer: Tokenizer, watch: Watch) -> Iterator[str]:
    if recipe.corpus is not None:
        texts = watch.texts(recipe.corpus.paragraphs(), "counting words")
        yield from frequent_words(texts, tokenizer, size=recipe.size, at_least=recipe.least_count)
    elif recipe.words is not None:
        listed = Corpus(paths=(recipe.words,), documents="line")
        yield from (paragraph.text for paragraph in listed.paragraphs())


def _renumbered(checkpoint: Checkpoint, heads: Heads, kept: np.ndarray, *, ids: int) -> dict[str, Any]:
    """The heads and what config.json says; the n-grams of a fine-tuned model follow their tokens."""
    extras, extra = _extras(checkpoint, kept), heads.get("extra", {})
    if NGRAMS not in extra:
        return {"heads": heads, "config_extras": extras}
    new = np.full(checkpoint.encoder.config.vocab_size, -1)
    new[kept] = np.arange(len(kept))
    block = deepcopy(extras["bertsmith"])
    part = block["task"]["ngrams"]
    require_room(part.get("exchanged"), ids=ids)
    keys, places = renumbered_ngrams(extra[NGRAMS].numpy(), new, ids=ids, sides=part.get("sides", "one"))
    own = {NGRAMS: torch.from_numpy(keys), **{name: extra[name][torch.from_numpy(places)] for name in OF_NGRAMS}}
    part |= {"ids": ids, "features": len(keys)}
    return {"heads": {**heads, "extra": {**extra, **own}}, "config_extras": {**extras, "bertsmith": block}}


def _extras(checkpoint: Checkpoint, kept: np.ndarray) -> dict[str, Any]:
    """The keys of config.json to carry over; those that name a token follow it to its new id."""
    new = {int(old): number for number, old in enumerate(kept)}
    extras = {
        key: new.get(value) if key.endswith("_token_id") and isinstance(value, int) else value
        for key, value in checkpoint.config_extras.items()
    }
    known = {key: checkpoint.raw_config[key] for key in ("architectures",) if checkpoint.raw_config.get(key)}
    return {key: value for key, value in extras.items() if value is not None} | known


def _word_notes(words: Sequence[str], pieces: Mapping[str, np.ndarray], tokenizer: Tokenizer) -> Iterator[str]:
    if len(pieces) < len(words):
        yield f"{len(words) - len(pieces):,} of {len(words):,} words were tokens already, or stood there twice"
    unknown = [word for word, ids in pieces.items() if tokenizer.special.unk in ids]
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        yield f"{len(unknown):,} words were unknown, in whole or in part, and their rows begin so: {shown}"


def _notes(model: str, checkpoint: Checkpoint) -> tuple[str, ...]:
    generator = (resolve(model) / "generator").is_dir()
    left = ("the generator beside it (generator/) reads the old vocabulary, and was left out",) if generator else ()
    return (*checkpoint.report.notes, *left)


def _bytes(encoder: Encoder, heads: Mapping[str, Mapping[str, Tensor]]) -> int:
    tensors = [*encoder.state_dict().values(), *(tensor for parts in heads.values() for tensor in parts.values())]
    return sum(tensor.nbytes for tensor in tensors)


def _shares(found: Respelled) -> dict[str, Any]:
    tokens, after = max(found.tokens_before, 1), max(found.tokens_after, 1)
    return {
        "texts": found.texts,
        "tokens": {"before": found.tokens_before, "after": found.tokens_after},
        "became_unknown": found.became_unknown / tokens,
        "unknown": {"before": found.unknown_before / tokens, "after": found.unknown_after / after},
    }
