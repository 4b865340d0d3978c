"""The rows of trials on disk, so that every process reads the same ones."""

import hashlib
import json
from pathlib import Path
from typing import Any

from bertsmith.config import Config, parse_config
from bertsmith.data import Marks, Record
from bertsmith.files import atomic_path, write_text
from bertsmith.finetuning import AnyAnswers
from bertsmith.recipes import Rows, Splits
from bertsmith.text.tags import Span


class _Part(Config):
    file: str
    source: str


class StoredSplits(Config):
    """Splits by the files that hold their rows, and what the training rows taught of the labels.

    Of each row, text, label, marks and place are kept: all that training looks at.
    """

    parts: dict[str, _Part]
    answers: AnyAnswers
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hash of all rows, in their order, and of the labels."""
        told = [sorted((name, part.file) for name, part in self.parts.items()), self.answers.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def without_test(self) -> "StoredSplits":
        """The same, test left out."""
        return self.but(parts={name: part for name, part in self.parts.items() if name != "test"})


def store_splits(splits: Splits, name: str, folder: Path) -> StoredSplits:
    """Write splits to `folder`; parts with equal rows share a file."""
    parts = {part: _Part(file=_store(rows, folder), source=rows.source) for part, rows in splits.named().items()}
    stored = StoredSplits(parts=parts, answers=splits.answers, notes=splits.notes)
    write_text(folder / f"{name}.json", stored.model_dump_json(indent=1) + "\n")
    return stored


def read_stored(name: str, folder: Path, *, test: bool) -> Splits:
    """Read splits that `store_splits` wrote, without the test rows unless they are asked for."""
    path = folder / f"{name}.json"
    stored = parse_config(StoredSplits, json.loads(path.read_text(encoding="utf-8")), where=str(path))
    rows = {
        part: Rows(tuple(_read(folder / where.file)), where.source)
        for part, where in stored.parts.items()
        if part != "test" or test
    }
    return Splits(rows["train"], rows["dev"], rows.get("test"), stored.answers, stored.notes)


def _store(rows: Rows, folder: Path) -> str:
    lines = [json.dumps(_plain(record), separators=(",", ":")) + "\n" for record in rows.records]
    told = hashlib.sha256()
    for line in lines:
        told.update(line.encode())
    path = folder / f"{told.hexdigest()[:32]}.jsonl"
    if not path.exists():
        with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
            file.writelines(lines)
    return path.name


def _read(path: Path) -> list[Record]:
    with path.open(encoding="ascii") as file:
        return [_record(json.loads(line)) for line in file]


def _plain(record: Record) -> dict[str, Any]:
    marks = record.marks
    return {
        "text": record.text,
        "text_pair": record.text_pair,
        "label": record.label,
        "where": record.where,
        "marks": None if marks is None else [list(map(list, marks.spans)), marks.units, marks.scheme, marks.broken],
    }


def _record(values: dict[str, Any]) -> Record:
    label, marks = values.pop("label"), values.pop("marks")
    return Record(**values, label=tuple(label) if isinstance(label, list) else label, marks=_marks(marks))


def _marks(values: list[Any] | None) -> Marks | None:
    if values is None:
        return None
    spans, units, scheme, broken = values
    return Marks(
        spans=tuple(Span(*span) for span in spans),
        units=None if units is None else tuple((start, end) for start, end in units),
        scheme=scheme,
        broken=broken,
    )
