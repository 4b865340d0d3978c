"""Indexes that are made and changed on disk: streamed, resumable, and whole at every moment."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bertsmith.errors import Interrupted, UserError
from bertsmith.files import write_bytes, write_text, writing
from bertsmith.search.columns import GrowingFile, GrowingFolder, Texts
from bertsmith.search.derived import derive
from bertsmith.search.entries import (
    AT_ONCE,
    IDS,
    KEYS,
    METADATA,
    TEXTS,
    Entry,
    Id,
    blocks_of,
    deleted_rows,
    id_key,
    store,
    stored_keys,
)
from bertsmith.search.layout import (
    MANIFEST,
    Manifest,
    ModelNote,
    StoredFile,
    changing,
    read_manifest,
    write_manifest,
)
from bertsmith.search.protocols import TextEmbedder
from bertsmith.search.settings import USUAL_INDEX, IndexSettings
from bertsmith.search.vectors import VECTORS, normalised, open_vectors, require_finite

TEXTS_ENCODED_AT_ONCE = 4096
BEGUN = "begun.json"
"""Beside the rows of a build that is not done: what it was asked for, so that only that goes on."""

Say = Callable[[str], None]


def _silent(message: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many rows were deleted, and whether the index was rewritten without them."""

    rows: int
    compacted: bool


def build(  # noqa: PLR0913 - texts, model and settings, and how the work is done
    folder: Path,
    entries: Iterable[Entry],
    embedder: TextEmbedder,
    *,
    source: str,
    choices: Mapping[str, str | int] | None = None,
    settings: IndexSettings = USUAL_INDEX,
    resume: bool = False,
    say: Say = _silent,
) -> Manifest:
    """Make an index of texts; an index that is there is replaced when the new one is whole, not before.

    Memory does not grow with the texts, but for twenty bytes each. With `resume`, vectors that an interrupted build
    of the same texts, model and settings left behind are used.

    Raises:
        UserError: an id stands twice, a vector is not finite, faiss is needed and missing, the disk is full, or
            another process is at work.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    with changing(folder):
        data, begun = _place(folder, resume=resume)
        model = ModelNote(source=source, fingerprint=embedder.fingerprint, choices=dict(choices or {}))
        empty = Manifest(data=data.name, model=model, settings=settings, width=0, rows=0, files={})
        try:
            with writing(data):
                data.mkdir(exist_ok=True)
            stored = store(data, empty, entries)
            _require_same(data, _asked(stored), begun)
        except BaseException:
            if begun is None:
                shutil.rmtree(data, ignore_errors=True)
            raise
        write_text(data / BEGUN, json.dumps(_asked(stored)))
        grown = _encoded(data, empty, stored, embedder, resume=begun is not None, say=say)
        done = derive(data, empty, grown, say=say)
        write_manifest(folder, done)
        return done


def add(folder: Path, entries: Iterable[Entry], embedder: TextEmbedder, *, say: Say = _silent) -> Manifest:
    """Put more texts into an index; until all are in, it stays as it was.

    Raises:
        UserError: the model is another one, an id is there already, or as `build`.
    """
    with changing(folder):
        known = read_manifest(folder)
        require_model(folder, known, embedder)
        data = folder / known.data
        stored = store(data, known, entries)
        grown = _encoded(data, known, stored, embedder, resume=False, say=say)
        done = derive(data, known, grown, say=say)
        write_manifest(folder, done)
        return done


def delete(folder: Path, ids: Sequence[Id], *, say: Say = _silent) -> Deleted:
    """Delete texts by their ids. They are marked only; where many are, the index is rewritten without them.

    Raises:
        UserError: there is no text of an id, or none would be left.
    """
    with changing(folder):
        known = read_manifest(folder)
        data = folder / known.data
        gone = deleted_rows(data, known)
        rows = _rows_of(data, known, gone, [str(name) for name in ids])
        if known.live_rows == len(rows):
            raise UserError(
                f"{folder}: these ids are all that the index holds; remove the folder instead", code="empty_index"
            )
        gone[rows] = True
        if gone.mean() > known.settings.compact_share:
            _compacted(folder, known, ~gone, say)
            return Deleted(len(rows), compacted=True)
        bits, name = np.packbits(gone, bitorder="little").tobytes(), f"deleted-{int(gone.sum())}.bits"
        write_bytes(data / name, bits)
        files = {file: stored for file, stored in known.files.items() if file != known.deleted}
        marked = known.but(deleted=name, deleted_rows=int(gone.sum()), files={**files, name: StoredFile().grown(bits)})
        write_manifest(folder, marked)
        return Deleted(len(rows), compacted=False)


def compact(folder: Path, *, say: Say = _silent) -> Manifest:
    """Rewrite an index without its deleted rows, and what is derived from the others anew."""
    with changing(folder):
        known = read_manifest(folder)
        return _compacted(folder, known, ~deleted_rows(folder / known.data, known), say)


def require_model(folder: Path, manifest: Manifest, embedder: TextEmbedder) -> None:
    """Make sure that a model is the one that made the vectors.

    Raises:
        UserError: it is another one.
    """
    if embedder.fingerprint != manifest.model.fingerprint:
        raise UserError(
            f"{folder}: the index was made with another model ({manifest.model.source}, fingerprint "
            f"{manifest.model.fingerprint}) than this one ({embedder.fingerprint}); vectors of different models cannot "
            "be compared. Use that model, or build the index again with this one",
            code="other_model",
            where=str(folder),
        )


def _place(folder: Path, *, resume: bool) -> tuple[Path, dict[str, str] | None]:
    """The folder for the rows of a new build, and what an interrupted one there was asked for."""
    current = read_manifest(folder).data if (folder / MANIFEST).is_file() else ""
    numbers = [int(path.name.removeprefix("data-")) for path in folder.glob("data-*") if path.name[5:].isdecimal()]
    unfinished = [folder / f"data-{number:04d}" for number in sorted(numbers) if f"data-{number:04d}" != current]
    if resume and unfinished and (unfinished[-1] / BEGUN).is_file():
        return unfinished[-1], json.loads((unfinished[-1] / BEGUN).read_text(encoding="utf-8"))
    for path in unfinished:
        shutil.rmtree(path)
    return folder / f"data-{max(numbers, default=0) + 1:04d}", None


def _asked(manifest: Manifest) -> dict[str, str]:
    """What vectors depend on: the texts, the model, and how they are stored."""
    return {
        "texts": f"{manifest.rows} {manifest.files[f'{TEXTS}.txt'].checksum}",
        "model": manifest.model.fingerprint,
        "vectors": f"{manifest.settings.vectors} {manifest.settings.score}",
    }


def _require_same(data: Path, asked: dict[str, str], begun: dict[str, str] | None) -> None:
    other = [name for name in asked if begun is not None and begun.get(name) != asked[name]]
    if other:
        raise UserError(
            f"{data.parent}: the interrupted build was of other {' and '.join(other)}; "
            "give what it was given, or start anew with --overwrite",
            code="other_build",
            where=str(data.parent),
        )


def _encoded(
    data: Path, known: Manifest, stored: Manifest, embedder: TextEmbedder, *, resume: bool, say: Say
) -> Manifest:
    """Write the vectors of the new rows."""
    texts, ids = Texts.open(data, TEXTS, stored.rows), Texts.open(data, IDS, stored.rows)
    kind = np.dtype(known.settings.vectors).newbyteorder("<")
    width, file = known.width, None
    begun = _resumed(data, embedder, kind.itemsize) if resume else None
    done = known.rows
    if begun is not None:
        width, done, so_far = begun
        file = GrowingFile(data / VECTORS, so_far)
    try:
        for first, some in blocks_of(texts, done, stored.rows, TEXTS_ENCODED_AT_ONCE):
            try:
                vectors = embedder.encode(some)
            except UserError as error:
                raise _placed(error, ids, done) from None
            require_finite(vectors, partial(_named, ids, first, some))
            width = width or vectors.shape[1]
            if vectors.shape != (len(some), width):
                raise AssertionError(f"vectors of shape {vectors.shape} for {len(some)} texts, {width} wide")
            file = file or GrowingFile(data / VECTORS, known.files.get(VECTORS))
            told = normalised(vectors) if known.settings.score == "cosine" else vectors
            file.append(told.astype(kind).tobytes())
            file.flush()
            done = first + len(some)
            say(f"encoded {done - known.rows:,} of {stored.rows - known.rows:,} texts")
    except KeyboardInterrupt:
        so_much = f"{done - known.rows:,} of {stored.rows - known.rows:,} texts are encoded"
        raise Interrupted(f"interrupted: {so_much}; the index is as it was" + _way_on(known)) from None
    finally:
        if file is not None:
            files = {**stored.files, VECTORS: file.close()}
    return stored.but(files=files, width=width)


def _placed(error: UserError, ids: Texts, first: int) -> UserError:
    """A refusal of the embedder, by the id of the text instead of its row among those it was given."""
    row = (error.where or "").removeprefix("row ")
    if not row.isdecimal():
        return error
    where = f"id {ids[first + int(row) - 1]!r}"
    return UserError(f"{where}: {error.message.removeprefix(f'row {row}: ')}", code=error.code, where=where)


def _named(ids: Texts, first: int, some: Sequence[str], row: int) -> str:
    return f"id {ids[first + row]!r} ({some[row]!r:.40})"


def _way_on(known: Manifest) -> str:
    return "" if known.rows else ", go on with --resume"


def _resumed(data: Path, embedder: TextEmbedder, itemsize: int) -> tuple[int, int, StoredFile] | None:
    """Width, rows and file of the vectors that are there, if any."""
    path = data / VECTORS
    if not path.is_file() or not path.stat().st_size:
        return None
    width = embedder.encode(["1"]).shape[1]
    rows = path.stat().st_size // (width * itemsize)
    stored = StoredFile()
    with path.open("rb") as file:
        left = rows * width * itemsize
        while left and (chunk := file.read(min(left, 1 << 22))):
            stored, left = stored.grown(chunk), left - len(chunk)
    return width, rows, stored


def _rows_of(data: Path, manifest: Manifest, gone: np.ndarray, ids: list[str]) -> np.ndarray:
    """The rows of ids that are not deleted."""
    names = Texts.open(data, IDS, manifest.rows)
    wanted = {id_key(name): name for name in ids}
    found = np.flatnonzero(np.isin(stored_keys(data, manifest.rows), np.array(list(wanted), dtype=np.uint64)) & ~gone)
    known = {names[int(row)] for row in found}
    missing = [name for name in dict.fromkeys(ids) if name not in known]
    if missing:
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise UserError(
            f"{data.parent}: no text with id {missing[0]!r}{more} in the index; check the ids. Nothing was deleted",
            code="unknown_id",
            where=str(data.parent),
        )
    return np.array([row for row in found.tolist() if names[row] in set(ids)], dtype=np.int64)


def _compacted(folder: Path, known: Manifest, alive: np.ndarray, say: Say) -> Manifest:
    """Copy the rows that are alive to new files, block by block."""
    old, (new, _) = folder / known.data, _place(folder, resume=False)
    with writing(new):
        new.mkdir()
    say(f"rewriting {int(alive.sum()):,} of {known.rows:,} rows")
    keys = stored_keys(old, known.rows)
    vectors = open_vectors(old, known.settings.vectors, known.rows, known.width)
    with GrowingFolder(new) as growing:
        columns = [(Texts.open(old, name, known.rows), growing.texts(name)) for name in (TEXTS, IDS, METADATA)]
        new_keys, new_vectors = growing.file(KEYS), growing.file(VECTORS)
        for first in range(0, known.rows, AT_ONCE):
            kept = np.flatnonzero(alive[first : first + AT_ONCE])
            for before, after in columns:
                texts = before.between(first, min(first + AT_ONCE, known.rows))
                after.append([texts[place] for place in kept.tolist()])
            new_keys.append(keys[first + kept].tobytes())
            new_vectors.append(np.asarray(vectors[first + kept]).tobytes())
        files = growing.close()
    bare = known.but(
        data=new.name, rows=int(alive.sum()), files=files, deleted=None, deleted_rows=0, approximate=None, postings=()
    )
    done = derive(new, bare.but(rows=0, files={}), bare, say=say)
    write_manifest(folder, done)
    return done
