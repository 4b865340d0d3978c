"""Indexes that are made and changed on disk: streamed, resumable, and whole at every moment."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from bertsmith.errors import Interrupted, UserError
from bertsmith.files import write_text, writing
from bertsmith.search.columns import GrowingFile, Texts
from bertsmith.search.derived import derive
from bertsmith.search.entries import (
    IDS,
    TEXTS,
    Entry,
    blocks_of,
    store,
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
from bertsmith.search.vectors import VECTORS, normalised, require_finite

TEXTS_ENCODED_AT_ONCE = 4096
BEGUN = "begun.json"
"""Beside the rows of a build that is not done: what it was asked for, so that only that goes on."""

Say = Callable[[str], None]


def silent(message: str) -> None:
    """Nobody listens."""


def build(  # noqa: PLR0913 - texts, model and settings, and how the work is done
    folder: Path,
    entries: Iterable[Entry],
    embedder: TextEmbedder,
    *,
    source: str,
    choices: Mapping[str, str | int] | None = None,
    settings: IndexSettings = USUAL_INDEX,
    resume: bool = False,
    say: Say = silent,
) -> Manifest:
    """Make an index of texts; an index that is there is replaced when the new one is whole, not before.

    Memory does not grow with the texts, but for twenty bytes each. With `resume`, vectors that an interrupted build
    of the same texts, model and settings left behind are used; an index that is just that stays. Where texts or model
    are refused, nothing is left behind: other ones would not go on from it.

    Raises:
        UserError: an id stands twice, a vector is not finite, faiss is needed and missing, the disk is full, or
            another process is at work.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    with changing(folder):
        data, begun = new_data(folder, resume=resume)
        model = ModelNote(source=source, fingerprint=embedder.fingerprint, choices=dict(choices or {}))
        empty = Manifest(data=data.name, model=model, settings=settings, width=0, rows=0, files={})
        try:
            with writing(data):
                data.mkdir(exist_ok=True)
            stored = store(data, empty, entries)
            _require_same(data, _asked(stored), begun)
            whole = _already(folder, stored) if resume else None
        except BaseException:
            if begun is None:
                shutil.rmtree(data, ignore_errors=True)
            raise
        if whole is not None:
            shutil.rmtree(data)
            return whole
        write_text(data / BEGUN, json.dumps(_asked(stored)))
        try:
            grown = _encoded(data, empty, stored, embedder, resume=begun is not None, say=say)
        except UserError as error:
            if begun is None and error.code != "disk_full":
                shutil.rmtree(data)
            raise
        done = derive(data, empty, grown, say=say)
        write_manifest(folder, done)
        return done


def add(folder: Path, entries: Iterable[Entry], embedder: TextEmbedder, *, say: Say = silent) -> Manifest:
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


def new_data(folder: Path, *, resume: bool) -> tuple[Path, dict[str, str] | None]:
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


def _already(folder: Path, stored: Manifest) -> Manifest | None:
    """The index that is there, if it is whole and just what a build is asked for."""
    if not (folder / MANIFEST).is_file():
        return None
    known = read_manifest(folder)
    same = _asked(known) == _asked(stored) and known.settings == stored.settings and known.deleted is None
    return known if same else None


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
            width = width or vectors.shape[1]
            if vectors.shape != (len(some), width):
                raise AssertionError(f"vectors of shape {vectors.shape} for {len(some)} texts, {width} wide")
            file = file or GrowingFile(data / VECTORS, known.files.get(VECTORS))
            with np.errstate(over="ignore"):
                told = (normalised(vectors) if known.settings.score == "cosine" else vectors).astype(kind)
            require_finite(told, partial(_named, ids, first, some))
            file.append(told.tobytes())
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
