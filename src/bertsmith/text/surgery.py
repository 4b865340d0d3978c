"""A vocabulary cut down to what a corpus uses, or grown by the words of a domain."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import tokenizers
from jaxtyping import Int

from bertsmith.errors import UserError
from bertsmith.text.definition import Definition
from bertsmith.text.template import Slot, Template, read_template, write_template
from bertsmith.text.tokenized import SpecialTokens
from bertsmith.text.tokenizer import Tokenizer
from bertsmith.text.vocabulary import LONGEST_WORD, count_words

_TEXTS_AT_ONCE = 1000


def count_tokens(texts: Iterable[str], tokenizer: Tokenizer) -> Int[np.ndarray, "vocabulary"]:
    """How often each id occurs in texts, which are read as a stream."""
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    for batch in _batches(texts):
        token_ids = np.concatenate([made.token_ids for made in tokenizer.tokenize(batch)])
        counts += np.bincount(token_ids, minlength=len(counts))
    return counts


def prune_vocabulary(
    tokenizer: Tokenizer, counts: Int[np.ndarray, "vocabulary"], *, at_least: int = 1, size: int | None = None
) -> tuple[Tokenizer, Int[np.ndarray, "kept"]]:
    """Keep the special tokens and what occurs often enough; also the old ids, by new id.

    With a `size`, the most frequent tokens are kept, so that with the special ones there are no more.

    A text whose tokens are all kept, and known, has the same tokens as before, since WordPiece takes
    the longest entry that fits. A word that was unknown may be found in pieces afterwards.

    Raises:
        UserError: the tokenizer is not WordPiece, or `size` leaves room for special tokens only.
    """
    definition = _wordpiece(tokenizer)
    if len(counts) != tokenizer.vocab_size:
        raise ValueError(f"{len(counts)} counts for a vocabulary of {tokenizer.vocab_size}")
    special = sorted(definition.special_ids)
    wanted = np.asarray(counts) >= at_least
    wanted[special] = False
    if size is not None:
        _require_room(size, len(special))
        most_frequent = np.argsort(-np.asarray(counts) * wanted, kind="stable")
        wanted[most_frequent[size - len(special) :]] = False
    wanted[special] = True
    kept = np.flatnonzero(wanted)
    return Tokenizer(_renumbered(definition, kept.tolist())), kept


def extend_vocabulary(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[Tokenizer, dict[str, np.ndarray]]:
    """Add words at the end of the vocabulary; also the ids that spelled each of them before, by new id.

    Words are normalised as texts are, and left out where they are tokens already. With a tokenizer
    read at word level this is how a Chinese encoder learns to read words (WoBERT, Su 2020).

    Raises:
        UserError: the tokenizer is not WordPiece, or would never make a token of one of the words.
    """
    definition = _wordpiece(tokenizer)
    known = definition.backend["model"]["vocab"]
    fresh: dict[str, str] = {}
    for word, entry in zip(words, _normalized(definition, words), strict=True):
        if entry not in known:
            fresh.setdefault(entry, word)
    extended = Tokenizer(_lengthened(definition, tuple(fresh)))
    _require_reached(extended, list(fresh.values()), first=tokenizer.vocab_size)
    before = tokenizer.tokenize(list(fresh.values()))
    return extended, {entry: made.token_ids for entry, made in zip(fresh, before, strict=True)}


def frequent_words(texts: Iterable[str], tokenizer: Tokenizer, *, size: int, at_least: int = 2) -> dict[str, int]:
    """The most frequent words of texts that are no token yet and could be one, at most `size`, with their counts.

    Words are those of BERT: cut at spaces, at punctuation and around every Chinese character; at word
    level also Chinese words by segmentation. Texts are read as a stream.

    Raises:
        UserError: the tokenizer is not WordPiece.
    """
    definition = _wordpiece(tokenizer)
    (lower_case,) = (normal == "a" for normal in _normalized(definition, ["A"]))
    words, chinese = count_words(texts, lower_case=lower_case, level=definition.level)
    known = definition.backend["model"]["vocab"]
    fresh = {
        word: count
        for word, count in (words | chinese).items()
        if word not in known and count >= at_least and len(word) <= LONGEST_WORD
    }
    ordered = sorted(fresh, key=lambda word: (-fresh[word], word))[: 2 * size]
    extended = Tokenizer(_lengthened(definition, tuple(ordered)))
    lost = set(_unreached(extended, ordered, first=tokenizer.vocab_size))
    return {word: fresh[word] for word in [word for word in ordered if word not in lost][:size]}


@dataclass(frozen=True, slots=True)
class Respelled:
    """Texts under two vocabularies: their tokens, the unknown ones, and the known ones that became unknown."""

    texts: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    unknown_before: int = 0
    unknown_after: int = 0
    became_unknown: int = 0


def respell(texts: Iterable[str], before: Tokenizer, after: Tokenizer) -> Respelled:
    """Compare what two vocabularies make of texts, which are read as a stream."""
    sums = np.zeros(6, dtype=np.int64)
    for batch in _batches(texts):
        for one, other in zip(before.tokenize(batch), after.tokenize(batch), strict=True):
            unknown = one.token_ids == before.special.unk
            holes = other.offsets[other.token_ids == after.special.unk]
            lost = _inside(one.offsets[~unknown], holes)
            sums += (1, len(one), len(other), int(unknown.sum()), len(holes), lost)
    return Respelled(*sums.tolist())


def _inside(offsets: Int[np.ndarray, "tokens 2"], holes: Int[np.ndarray, "holes 2"]) -> int:
    """How many tokens lie within a hole; holes are in order, without overlap."""
    if not len(holes):
        return 0
    place = np.maximum(np.searchsorted(holes[:, 0], offsets[:, 0], side="right") - 1, 0)
    return int(((offsets[:, 0] >= holes[place, 0]) & (offsets[:, 1] <= holes[place, 1])).sum())


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while batch := list(islice(stream, _TEXTS_AT_ONCE)):
        yield batch


def _require_room(size: int, special: int) -> None:
    if size <= special:
        raise UserError(
            f"a vocabulary of {size} has no room beside its {special} special tokens; choose a larger size",
            code="bad_vocabulary",
        )


def _wordpiece(tokenizer: Tokenizer) -> Definition:
    kind = tokenizer.definition.kind
    if kind != "WordPiece":
        raise UserError(
            f"this tokenizer is of kind {kind}, whose entries depend on each other; only a WordPiece vocabulary "
            "can be pruned or extended entry by entry",
            code="unsupported_tokenizer",
        )
    return tokenizer.definition


def _renumbered(definition: Definition, kept: Sequence[int]) -> Definition:
    """The same tokenizer with the ids of `kept` alone, each by its place there."""
    new = {old: number for number, old in enumerate(kept)}
    names = tuple(definition.names[old] for old in kept)
    backend = definition.backend
    table = {name: new[old] for name, old in backend["model"]["vocab"].items() if old in new}
    added = [{**token, "id": new[token["id"]]} for token in backend.get("added_tokens") or () if token["id"] in new]
    template = read_template(backend, definition.special)
    renamed = Template(
        single=tuple(_moved(slot, new) for slot in template.single),
        pair=tuple(_moved(slot, new) for slot in template.pair),
    )
    changed = _with_model(backend, table) | {
        "added_tokens": added,
        "post_processor": write_template(renamed, names),
    }
    special = {role: None if old is None else new[old] for role, old in dict(definition.special).items()}
    return replace(definition, backend=changed, names=names, special=SpecialTokens.model_validate(special))


def _moved(slot: Slot, new: dict[int, int]) -> Slot:
    return slot._replace(content=new[slot.content]) if isinstance(slot.content, int) else slot


def _lengthened(definition: Definition, entries: tuple[str, ...]) -> Definition:
    first = len(definition.names)
    added = {entry: first + number for number, entry in enumerate(entries)}
    backend = _with_model(definition.backend, definition.backend["model"]["vocab"] | added)
    return replace(definition, backend=backend, names=definition.names + entries)


def _with_model(backend: dict[str, Any], table: dict[str, int]) -> dict[str, Any]:
    return {**backend, "model": {**backend["model"], "vocab": table}}


def _normalized(definition: Definition, words: Sequence[str]) -> list[str]:
    """Each word as the normaliser leaves it, without the spaces it puts around Chinese characters."""
    normalizer = tokenizers.Tokenizer.from_str(json.dumps(definition.backend)).normalizer
    return ["".join((normalizer.normalize_str(word) if normalizer else word).split()) for word in words]


def _require_reached(extended: Tokenizer, words: Sequence[str], *, first: int) -> None:
    lost = _unreached(extended, words, first=first)
    if lost:
        shown = ", ".join(repr(word) for word in lost[:5]) + (", ..." if len(lost) > 5 else "")
        raise UserError(
            f"{len(lost)} of {len(words)} new words would never be a token: {shown}; texts are cut at spaces, "
            "at punctuation and, at character level, around every Chinese character before words are looked up. "
            "Leave them out, or, for Chinese words that segmentation finds, read the tokenizer with level='word'",
            code="unreachable_words",
        )


def _unreached(extended: Tokenizer, words: Sequence[str], *, first: int) -> list[str]:
    """The words that are not the one token they have from id `first` on."""
    made = extended.tokenize(words)
    return [
        word
        for number, (word, tokens) in enumerate(zip(words, made, strict=True))
        if tokens.token_ids.tolist() != [first + number]
    ]
