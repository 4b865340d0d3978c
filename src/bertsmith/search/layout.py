"""What the folder of an index holds.

`index.json` says what counts; it is written last, in one step, so that a reader sees the old index or
the new one. The rows lie in `data-0001/` in files that only grow: what stands beyond the sizes that
`index.json` names is left over from something interrupted, and overwritten by the next change.
"""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from bertsmith.config import Config, parse_config
from bertsmith.errors import UserError
from bertsmith.files import locked, write_text, writing
from bertsmith.search.settings import Chosen, IndexSettings

FORMAT = 1
"""Counts up when the files change their meaning."""
MANIFEST = "index.json"


class StoredFile(Config):
    """Bytes of a file that count, and their CRC-32."""

    size: int = 0
    checksum: int = 0

    def grown(self, content: bytes | memoryview) -> "StoredFile":
        """The same file with more at its end."""
        return StoredFile(size=self.size + len(content), checksum=zlib.crc32(content, self.checksum))


class ModelNote(Config):
    """The model that made the vectors: where it was, what was chosen of it, and what it must be."""

    source: str
    fingerprint: str
    choices: dict[str, str | int] = Field(default_factory=dict)


class ApproximateNote(Config):
    """A faiss index of the first `rows` rows, the effort of a search in it, and the recall@10 that it reached."""

    file: str
    rows: int
    effort: int
    recall: float


class Manifest(Config):
    """What the index is: sizes, model, settings, and the files that make it up, by their names in `data`.

    `rows` counts the deleted ones too. `numbered` says that every id so far is a whole number, `next_id`
    the number that a row without an id gets, `chosen` the kind that `auto` came to.
    """

    format: int = FORMAT
    data: str
    model: ModelNote
    settings: IndexSettings
    width: int
    rows: int
    files: dict[str, StoredFile]
    numbered: bool = True
    next_id: int = 0
    chosen: Chosen | None = None
    deleted: str | None = None
    deleted_rows: int = 0
    approximate: ApproximateNote | None = None
    postings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def live_rows(self) -> int:
        """Rows that can be found."""
        return self.rows - self.deleted_rows


def read_manifest(folder: Path) -> Manifest:
    """Read what the folder holds, and make sure that its files are there and no shorter than they must be.

    Raises:
        UserError: there is no index, or it is damaged, or of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        began = any(folder.glob("data-*")) if folder.is_dir() else False
        advice = "its build was interrupted: go on with --resume" if began else "make one with `bertsmith index`"
        raise UserError(
            f"{folder} holds no index ({MANIFEST} is missing); {advice}", code="no_index", where=str(folder)
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        format_ = values["format"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"cannot be read ({error})") from None
    if format_ != FORMAT:
        raise UserError(
            f"{folder} was written in format {format_}, this version reads format {FORMAT}; build it again",
            code="index_format",
            where=str(path),
        )
    try:
        manifest = parse_config(Manifest, values, where=str(path))
    except UserError as error:
        raise damaged(path, f"says what no index says ({error})") from None
    _require_files(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a change count, in one step; then remove the files that no longer do."""
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    with writing(folder):
        for path in folder.glob("data-*"):
            for file in path.iterdir():
                if path.name != manifest.data or file.name not in manifest.files:
                    file.unlink()
            if path.name != manifest.data:
                path.rmdir()


def verify(folder: Path) -> int:
    """Read every file and compare its checksum; return the bytes read.

    Raises:
        UserError: names the first file that is not what was written.
    """
    manifest, size = read_manifest(folder), 0
    for name, known in manifest.files.items():
        checksum = left = 0
        with (folder / manifest.data / name).open("rb") as file:
            left = known.size
            while left and (chunk := file.read(min(left, 1 << 22))):
                checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
        if checksum != known.checksum:
            raise damaged(folder / manifest.data / name, "is not what was written (its checksum differs)")
        size += known.size
    return size


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the index alone while it changes; readers are not disturbed.

    Raises:
        UserError: another process is changing it.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = locked(folder)
    if file is None:
        message = f"{folder}: another process is changing this index; wait until it is done"
        raise UserError(message, code="index_busy", where=str(folder))
    with file:
        yield


def damaged(path: Path, what: str) -> UserError:
    """A refusal of an index that is not as it was written."""
    return UserError(
        f"{path} {what}; the index is damaged: copy it again or build it again", code="damaged_index", where=str(path)
    )


def _require_files(folder: Path, manifest: Manifest) -> None:
    for name, known in manifest.files.items():
        path = folder / manifest.data / name
        if not path.is_file():
            raise damaged(path, "is missing")
        if path.stat().st_size < known.size:
            raise damaged(path, f"has {path.stat().st_size:,} bytes instead of {known.size:,}")
