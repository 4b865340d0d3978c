"""Finished shards, read at any place without holding them in memory."""

import hashlib
import json
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from jaxtyping import Int

from bertsmith.config import parse_config
from bertsmith.data.shards.layout import FORMAT, META, PLACES, FilePart, ShardMeta, TokenRun, shard_name
from bertsmith.errors import UserError


class Piece(NamedTuple):
    """A document, or what of it lies in one shard: a range of that shard's sentences."""

    shard: int
    first: int
    stop: int


class ShardSet:
    """The tokens of a corpus under one numbering, 0 to `tokens`.

    Every read opens the file anew and reads only what is asked for: memory stays flat however
    large the corpus is, and threads and forked processes do not disturb each other.
    """

    def __init__(self, folder: Path, meta: ShardMeta) -> None:
        self.folder = folder
        self.meta = meta
        self.bounds = np.array([0, *accumulate(shard.tokens for shard in meta.shards)])
        """Where each shard begins, and the end of the last."""

    @classmethod
    def open(cls, folder: Path, *, expect_fingerprint: str | None = None) -> "ShardSet":
        """Open the shards of a folder; `expect_fingerprint` is that of the tokenizer that will be used.

        Raises:
            UserError: they are not there, not finished, cut short, or of another tokenizer.
        """
        shards = cls(folder, read_meta(folder))
        found = shards.meta.tokenizer
        if expect_fingerprint is not None and found != expect_fingerprint:
            raise UserError(
                f"{folder}: the shards were made with another tokenizer ({found}, needed {expect_fingerprint}); "
                "build them again, or use the tokenizer they were made with",
                code="other_tokenizer",
                where=str(folder),
            )
        shards._require_sizes()
        return shards

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return self.meta.tokens

    @property
    def documents(self) -> int:
        """Documents in all."""
        return self.meta.documents

    @cached_property
    def pieces(self) -> Int[np.ndarray, "boundaries"]:
        """The number of the first piece of each shard, and of pieces in all."""
        return np.array([0, *accumulate(shard.pieces for shard in self.meta.shards)])

    def __len__(self) -> int:
        return len(self.meta.shards)

    def read(self, start: int, stop: int) -> TokenRun:
        """The tokens from `start` up to `stop`.

        Raises:
            IndexError: there are not so many.
        """
        if not 0 <= start <= stop <= self.tokens:
            raise IndexError(f"tokens {start} to {stop} of {self.tokens}")
        shard = int(np.searchsorted(self.bounds, start, side="right")) - 1
        runs: list[TokenRun] = []
        while not runs or start < stop:
            end = min(stop, int(self.bounds[shard + 1])) if shard < len(self) else stop
            runs.append(self._run(min(shard, len(self) - 1), start, end))
            start, shard = end, shard + 1
        return runs[0] if len(runs) == 1 else _joined(runs)

    def line_starts(self, shard: int) -> Int[np.ndarray, "sentences"]:
        """The first token of every sentence of a shard; the shard's first token is always one."""
        starts = self._places(shard, "lines", 0, self.meta.shards[shard].sentences)
        starts += self.bounds[shard]
        return starts

    def document_starts(self, shard: int) -> Int[np.ndarray, "pieces"]:
        """The first sentence, numbered within the shard, of every document or rest of one."""
        return self._places(shard, "documents", 0, self.meta.shards[shard].pieces)

    def piece(self, number: int) -> Piece:
        """One document of all, in O(1)."""
        shard = int(np.searchsorted(self.pieces, number, side="right")) - 1
        entry, place = self.meta.shards[shard], number - int(self.pieces[shard])
        first, *stop = self._places(shard, "documents", place, min(2, entry.pieces - place)).tolist()
        return Piece(shard, first, stop[0] if stop else entry.sentences)

    def line_start(self, shard: int, sentence: int) -> int:
        """The first token of one sentence, in O(1); after the last one, the end of the shard."""
        if sentence == self.meta.shards[shard].sentences:
            return int(self.bounds[shard + 1])
        return int(self._places(shard, "lines", sentence, 1)[0] + self.bounds[shard])

    def verify(self) -> None:
        """Compare every file with its checksum.

        Raises:
            UserError: a file is damaged.
        """
        for number, entry in enumerate(self.meta.shards):
            for part, checksum in entry.checksums.items():
                path = self._path(number, part)
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, new_digest).hexdigest()
                if found != checksum:
                    raise _damaged(path, "its content is not what was written")

    def _run(self, shard: int, start: int, stop: int) -> TokenRun:
        place, count = start - int(self.bounds[shard]), stop - start
        kind = np.dtype(self.meta.token_type)
        token_ids = np.fromfile(self._path(shard, "bin"), kind, count, offset=place * kind.itemsize)
        flags = np.fromfile(self._path(shard, "flags"), np.uint8, count, offset=place)
        return TokenRun(token_ids.astype(np.int32), flags)

    def _places(self, shard: int, part: FilePart, first: int, count: int) -> Int[np.ndarray, "_"]:
        path = self._path(shard, part)
        return np.fromfile(path, PLACES, count, offset=first * PLACES.itemsize).astype(np.int64)

    def _path(self, shard: int, part: FilePart) -> Path:
        return self.folder / shard_name(shard, part)

    def _require_sizes(self) -> None:
        for number, entry in enumerate(self.meta.shards):
            width = np.dtype(self.meta.token_type).itemsize
            sizes = (entry.tokens * width, entry.tokens, entry.sentences * 4, entry.pieces * 4)
            for part, size in zip(get_args(FilePart), sizes, strict=True):
                path = self._path(number, part)
                found = path.stat().st_size if path.is_file() else None
                if found != size:
                    raise _damaged(path, "it is missing" if found is None else f"it has {found} of {size} bytes")


def read_meta(folder: Path) -> ShardMeta:
    """What the shards of a folder were made from.

    Raises:
        UserError: there are none, or they are of another version.
    """
    path = folder / META
    if not path.is_file():
        begun = folder.is_dir() and any(folder.glob("shard-*.json"))
        fact = "were begun but not finished: build them again, it goes on" if begun else "are not here: build them"
        raise UserError(f"{folder}: the shards {fact}", code="no_shards", where=str(folder))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, f"it cannot be read ({error})") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        message = f"{path}: shards of another version; build them again"
        raise UserError(message, code="other_version", where=str(path))
    return parse_config(ShardMeta, values, where=str(path))


new_digest = partial(hashlib.blake2b, digest_size=16)
"""The checksum of every file here."""


def _joined(runs: list[TokenRun]) -> TokenRun:
    return TokenRun(np.concatenate([run.token_ids for run in runs]), np.concatenate([run.flags for run in runs]))


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path}: a damaged shard: {what}; build the shards again", code="damaged_shard", where=str(path))
