"""What a file is, by its name: format and compression."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertsmith.errors import UserError

Format = Literal["csv", "tsv", "jsonl", "parquet"]
Compression = Literal["none", "gz", "xz", "zst"]

STREAM = Path("-")
"""Standard input or output: JSON lines."""

_FORMATS: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
DATA_SUFFIXES = tuple(_FORMATS)
_COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".xz": "xz", ".zst": "zst"}
_ADVICE = {
    ".json": "JSON lines (one object a line) are read from .jsonl",
    ".ndjson": "rename it to .jsonl",
    ".txt": "a labelled text needs columns: save it as .csv, .tsv or .jsonl",
    ".xls": "save the sheet as CSV UTF-8",
    ".xlsx": "save the sheet as CSV UTF-8",
}
KNOWN = ".csv, .tsv, .jsonl or .parquet, each also with .gz, .xz or .zst"


@dataclass(frozen=True, slots=True)
class FileKind:
    """The format of a data file and how it is compressed."""

    format: Format
    compression: Compression = "none"


def kind_of(path: Path) -> FileKind:
    """Tell format and compression from the file name; a device or a pipe speaks JSON lines.

    Raises:
        UserError: the extension is unknown; the message lists those that are known.
    """
    if path == STREAM or _is_device(path):
        return FileKind("jsonl")
    suffix = bare_suffix(path)
    if suffix not in _FORMATS:
        advice = f"; {_ADVICE[suffix]}" if suffix in _ADVICE else ""
        found = f"the extension {suffix!r}" if suffix else "a name without an extension"
        raise UserError(
            f"{path}: data files are {KNOWN}; this is {found}{advice}", code="unknown_format", where=str(path)
        )
    return FileKind(_FORMATS[suffix], compression_of(path))


def compression_of(path: Path) -> Compression:
    """Tell the compression from the file name."""
    return _COMPRESSIONS.get(path.suffix.lower(), "none")


def bare_suffix(path: Path) -> str:
    """The extension in small letters, without that of a compression."""
    bare = path if compression_of(path) == "none" else path.with_suffix("")
    return bare.suffix.lower()


def require_file(path: Path) -> None:
    """Make sure there is a file to read.

    Raises:
        UserError: it is missing (near names in its folder are listed) or is a folder.
    """
    if path == STREAM or path.is_file():
        return
    if path.is_dir():
        inside = [name for name in _names(path) if _readable(name)]
        listing = f"; it holds {', '.join(inside[:5])}" if inside else ""
        raise UserError(f"{path} is a folder, a data file is needed{listing}", code="not_a_file", where=str(path))
    if not path.exists():
        raise UserError(f"{path}: no such file{_nearby(path)}", code="missing_file", where=str(path))


def display_name(path: Path) -> str:
    """The name a place in this file begins with."""
    return "stdin" if path == STREAM else str(path)


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _nearby(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; the folder {path.parent} does not exist either"
    names = _names(path.parent)
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    near = near or [name for name in names if _readable(name)][:5]
    return f"; {path.parent} holds {', '.join(near)}" if near else f"; {path.parent} holds no data files"


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _readable(name: str) -> bool:
    try:
        kind_of(Path(name))
    except UserError:
        return False
    return True
