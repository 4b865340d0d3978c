"""A corpus to shards: in parallel, resumable, the same bytes every time."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import get_args

from bertsmith.data.corpus import Corpus, inspect, parts
from bertsmith.data.formats import require_file
from bertsmith.data.shards.annotating import Annotator
from bertsmith.data.shards.layout import (
    FORMAT,
    META,
    FilePart,
    ShardEntry,
    ShardMeta,
    SourceEntry,
    shard_name,
    token_type,
)
from bertsmith.data.shards.making import write_entry
from bertsmith.data.shards.shardset import ShardSet, new_digest, read_meta
from bertsmith.data.shards.workers import make_shards
from bertsmith.errors import UserError
from bertsmith.files import write_text, writing

CHARACTERS_A_SHARD = 1_000_000


@dataclass(frozen=True, slots=True)
class Noted:
    """Something about the corpus that the user may not have meant."""

    message: str


@dataclass(frozen=True, slots=True)
class Built:
    """A shard is there; the counts are of all so far."""

    shards: int
    tokens: int
    documents: int
    reused: bool


BuildEvent = Noted | Built


def _silent(event: BuildEvent) -> None:
    """Nobody listens."""


def build_shards(
    corpus: Corpus,
    folder: Path,
    annotator: Annotator,
    *,
    processes: int = 1,
    characters: int = CHARACTERS_A_SHARD,
    listener: Callable[[BuildEvent], None] = _silent,
) -> ShardSet:
    """Turn a corpus into the shards of `folder`, about so many characters in each.

    Finished shards of the same texts, tokenizer and words are used again, so a build that was
    killed goes on where it was, and a second one returns at once. The bytes depend on none of
    that, nor on the number of processes. (More than one are started afresh, so a script of your own
    calls this under `if __name__ == "__main__"`.)

    Raises:
        UserError: a file is missing, empty, damaged, in another encoding or without line ends; the
            beginning of every file is looked at before the work begins. Or the disk is full.
    """
    sources = tuple(_source(path) for path in corpus.paths)
    recipe = _recipe(corpus, annotator, characters)
    if _is_finished(folder, recipe, sources):
        return ShardSet.open(folder)
    for note in inspect(corpus):
        listener(Noted(note))
    _reopen(folder)
    entries: list[ShardEntry] = []
    excluded = count()
    paragraphs = corpus.paragraphs(left_out=lambda _: next(excluded))
    for made in make_shards(parts(paragraphs, characters), folder, annotator, processes):
        entries.append(made.entry)
        counts = sum(entry.tokens for entry in entries), sum(entry.documents for entry in entries)
        listener(Built(len(entries), *counts, reused=made.reused))
    _finish(folder, _meta(annotator, recipe, sources, entries).but(excluded=next(excluded)))
    return ShardSet.open(folder)


def _meta(annotator: Annotator, recipe: str, sources: tuple[SourceEntry, ...], entries: list[ShardEntry]) -> ShardMeta:
    if not any(entry.tokens for entry in entries):
        names = ", ".join(source.name for source in sources)
        raise UserError(f"{names}: no token in the whole corpus; is it text?", code="empty_file", where=names)
    return ShardMeta(
        format=FORMAT,
        tokenizer=annotator.tokenizer.fingerprint,
        token_type=token_type(annotator.tokenizer.vocab_size),
        words=annotator.words,
        entities=annotator.entities.fingerprint if annotator.entities else None,
        recipe=recipe,
        tokens=sum(entry.tokens for entry in entries),
        paragraphs=sum(entry.paragraphs for entry in entries),
        documents=sum(entry.documents for entry in entries),
        sources=sources,
        shards=tuple(entries),
    )


def _source(path: Path) -> SourceEntry:
    require_file(path)
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, new_digest).hexdigest()
    return SourceEntry(name=path.name, size=path.stat().st_size, checksum=checksum)


def _recipe(corpus: Corpus, annotator: Annotator, characters: int) -> str:
    """A hash of all that decides the bytes of the shards, but the texts themselves."""
    reading = corpus.model_dump_json(exclude={"paths", "exclude"})
    content = f"{annotator.fingerprint}\n{reading}\n{characters}"
    if corpus.exclude:
        content += "\n" + b"".join(sorted(corpus.excluded())).hex()
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _is_finished(folder: Path, recipe: str, sources: tuple[SourceEntry, ...]) -> bool:
    try:
        meta = read_meta(folder)
        ShardSet.open(folder)
    except UserError:
        return False
    return (meta.recipe, meta.sources) == (recipe, sources)


def _reopen(folder: Path) -> None:
    """Take the finished set apart into single shards, those that are whole to be used again."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            meta = ShardSet.open(folder).meta
        except UserError:
            meta = None
        for number, entry in enumerate(meta.shards if meta else ()):
            write_entry(folder, number, entry)
        (folder / META).unlink(missing_ok=True)


def _finish(folder: Path, meta: ShardMeta) -> None:
    """Write what makes the set whole; remove what was needed on the way, and what older builds left."""
    write_text(folder / META, meta.model_dump_json(indent=1) + "\n")
    kept = {shard_name(number, part) for number in range(len(meta.shards)) for part in get_args(FilePart)}
    with writing(folder):
        for path in (*folder.glob("shard-*"), *folder.glob(".shard-*")):
            if path.name not in kept:
                path.unlink()
