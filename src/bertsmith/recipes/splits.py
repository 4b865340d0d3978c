"""The rows of a run: read, checked against each other, and a development part set aside where none is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bertsmith.data import Columns, PairKind, Record, read_records, require_trainable, split_records
from bertsmith.errors import UserError
from bertsmith.finetuning import TaskKind
from bertsmith.recipes.schema import DataFiles, FinetuneRecipe


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one split; `source` says in words where they come from."""

    records: tuple[Record, ...]
    source: str

    @property
    def texts(self) -> list[str]:
        """The (first) texts."""
        return [record.text for record in self.records]

    def pairs(self, task: TaskKind) -> list[str] | None:
        """The second texts, if the task reads two."""
        return [record.text_pair or "" for record in self.records] if task == "pair" else None


@dataclass(frozen=True, slots=True)
class Splits:
    """Training, development and perhaps test rows, with what should be said about them."""

    train: Rows
    dev: Rows
    test: Rows | None
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def named(self) -> dict[str, Rows]:
        """The splits by name, those that exist."""
        return {name: rows for name in ("train", "dev", "test") if (rows := getattr(self, name)) is not None}

    def targets(self, rows: Rows) -> Int[np.ndarray, "rows"]:
        """The number of each row's label."""
        return numbered(rows, self.labels)


def read_splits(recipe: FinetuneRecipe) -> Splits:
    """Read the files a recipe names.

    Raises:
        UserError: a file cannot be read, or the splits do not fit each other.
    """
    data = recipe.data
    files = {name: getattr(data, name) for name in ("train", "dev", "test") if getattr(data, name)}
    if "train" not in files:
        raise UserError("no training data: give --train FILE", code="bad_usage")
    records = {
        name: read_rows(Path(path), recipe.task, data.columns, encoding=data.encoding).records
        for name, path in files.items()
    }
    return make_splits(records, recipe, names={name: Path(path).name for name, path in files.items()})


def make_splits(
    records: Mapping[str, Sequence[Record]], recipe: FinetuneRecipe, *, names: Mapping[str, str] | None = None
) -> Splits:
    """Check rows already read, and set a development part aside where there is none.

    Raises:
        UserError: there is one label only, or dev or test holds a label that train does not.
    """
    names = names or {name: name for name in records}
    require_trainable(records)
    labels = label_names(records["train"])
    test = Rows(tuple(records["test"]), names["test"]) if "test" in records else None
    if "dev" in records:
        train, dev = Rows(tuple(records["train"]), names["train"]), Rows(tuple(records["dev"]), names["dev"])
        return Splits(train, dev, test, labels)
    return _with_dev_set_aside(records["train"], test, labels, recipe.data, recipe.seed, names["train"])


def label_names(records: Sequence[Record]) -> tuple[str, ...]:
    """The labels in order: numbers by value, the rest by name."""
    return tuple(sorted({str(record.label) for record in records}, key=_label_order))


def _label_order(label: str) -> tuple[int, int, str]:
    return (0, int(label), label) if label.isdecimal() and len(label) < 19 else (1, 0, label)


def read_rows(path: Path, task: TaskKind, columns: Columns, *, encoding: str) -> Rows:
    """Read the labelled rows of one file.

    Raises:
        UserError: the file cannot be read, or a row lacks a text or a label.
    """
    pairs: PairKind = "required" if task == "pair" else "ignored"
    return Rows(tuple(read_records(path, columns, labels="single", pairs=pairs, encoding=encoding)), path.name)


def numbered(rows: Rows, labels: Sequence[str]) -> Int[np.ndarray, "rows"]:
    """The number of each row's label."""
    numbers = {label: number for number, label in enumerate(labels)}
    return np.array([numbers[str(record.label)] for record in rows.records], dtype=np.int64)


def _require_group_column(records: Sequence[Record], data: DataFiles, train: str) -> None:
    column = data.group_column
    if column is not None and column not in records[0].row:
        raise UserError(
            f"{train}: no column {column!r} to keep groups together by (data.group_column); "
            f"the columns are {', '.join(map(repr, records[0].row))}",
            code="missing_column",
            where=train,
        )


def _with_dev_set_aside(
    records: Sequence[Record], test: Rows | None, labels: tuple[str, ...], data: DataFiles, seed: int, train: str
) -> Splits:
    _require_group_column(records, data, train)
    split = split_records(records, share=data.dev_share, seed=seed, group_column=data.group_column)
    if not split.dev or not split.train:
        raise UserError(
            f"{train}: {len(records)} rows are too few to set {data.dev_share:.0%} aside for development, since equal "
            "texts and rows of one group stay together; give more rows or a --dev file",
            code="too_few_rows",
            where=train,
        )
    notes = [
        f"no --dev: {len(split.dev):,} of {len(records):,} rows of {train} were set aside for development "
        f"(stratified by label, equal texts kept together, seed {seed})"
    ]
    if split.undivided:
        shown = ", ".join(split.undivided[:10])
        notes.append(f"labels with too few texts to be in the development part: {shown}")
    share = f"{data.dev_share:.0%} of {train}"
    return Splits(Rows(split.train, train), Rows(split.dev, share), test, labels, tuple(notes))
