"""One part of a corpus to one shard, unless it is there already."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bertsmith.config import parse_config
from bertsmith.data.corpus import Part
from bertsmith.data.shards.annotating import Annotator
from bertsmith.data.shards.layout import DOCUMENT, LINE, PLACES, FilePart, ShardEntry, TokenRun, shard_name
from bertsmith.data.shards.shardset import new_digest
from bertsmith.errors import UserError
from bertsmith.files import write_bytes, write_text


class Made(NamedTuple):
    """A shard, and whether it was there before."""

    entry: ShardEntry
    reused: bool


def make_shard(part: Part, folder: Path, annotator: Annotator) -> Made:
    """Write the files of a shard, its entry last: a shard with an entry is whole."""
    recipe, checksum = annotator.fingerprint, part.checksum
    known = read_entry(folder, part.number)
    if known is not None and (known.recipe, known.text) == (recipe, checksum):
        return Made(known, reused=True)
    entry_path(folder, part.number).unlink(missing_ok=True)
    run = annotator.annotate(part.paragraphs)
    files = _files(run)
    for name, content in files.items():
        write_bytes(folder / shard_name(part.number, name), content.tobytes())
    entry = ShardEntry(
        recipe=recipe,
        text=checksum,
        tokens=len(run),
        sentences=len(files["lines"]),
        paragraphs=len(part.paragraphs),
        documents=int(np.count_nonzero(run.flags & DOCUMENT)),
        pieces=len(files["documents"]),
        checksums={name: _checksum(content) for name, content in files.items()},
    )
    write_entry(folder, part.number, entry)
    return Made(entry, reused=False)


def entry_path(folder: Path, number: int) -> Path:
    """Where the entry of a shard stands while the others are being made."""
    return folder / shard_name(number, "json")


def write_entry(folder: Path, number: int, entry: ShardEntry) -> None:
    """Say that a shard is whole."""
    write_text(entry_path(folder, number), entry.model_dump_json())


def read_entry(folder: Path, number: int) -> ShardEntry | None:
    """The entry of a shard that is whole, else None."""
    path = entry_path(folder, number)
    try:
        return parse_config(ShardEntry, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, UserError):
        return None


def _files(run: TokenRun) -> dict[FilePart, np.ndarray]:
    lines = np.flatnonzero(_begins(run, LINE))
    documents = np.searchsorted(lines, np.flatnonzero(_begins(run, DOCUMENT)))
    return {
        "bin": run.token_ids,
        "flags": run.flags,
        "lines": lines.astype(PLACES),
        "documents": documents.astype(PLACES),
    }


def _begins(run: TokenRun, flag: int) -> np.ndarray:
    """Where units begin; what is left of one from the shard before begins with the shard."""
    found = run.flags & flag > 0
    found[:1] = True
    return found


def _checksum(content: np.ndarray) -> str:
    digest = new_digest()
    digest.update(content.tobytes())
    return digest.hexdigest()
