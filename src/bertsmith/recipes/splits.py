"""The rows of a run: read, checked against each other, and a development part set aside where none is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.data import Columns, Record, require_trainable, split_records
from bertsmith.errors import UserError
from bertsmith.finetuning import Aim, Answers
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

    @property
    def all_texts(self) -> list[str]:
        """First and second texts."""
        return self.texts + [record.text_pair for record in self.records if record.text_pair is not None]


@dataclass(frozen=True, slots=True)
class Splits:
    """Training, development and perhaps test rows, what train teaches of the labels, and what should be said."""

    train: Rows
    dev: Rows
    test: Rows | None
    answers: Answers
    notes: tuple[str, ...] = ()

    def named(self) -> dict[str, Rows]:
        """The splits by name, those that exist."""
        return {name: rows for name in ("train", "dev", "test") if (rows := getattr(self, name)) is not None}


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
    require_trainable(records, labels=recipe.task.reads)
    answers = recipe.task.learn(records["train"])
    test = Rows(tuple(records["test"]), names["test"]) if "test" in records else None
    if "dev" in records:
        train, dev = Rows(tuple(records["train"]), names["train"]), Rows(tuple(records["dev"]), names["dev"])
        return Splits(train, dev, test, answers)
    return _with_dev_set_aside(records["train"], test, answers, recipe.data, recipe.seed, names["train"])


def read_rows(path: Path, task: Aim, columns: Columns, *, encoding: str) -> Rows:
    """Read the labelled rows of one file.

    Raises:
        UserError: the file cannot be read, or a row lacks a text or a label.
    """
    return Rows(tuple(task.read(path, columns, encoding=encoding)), path.name)


def require_group_column(records: Sequence[Record], data: DataFiles, train: str) -> None:
    """Make sure that the column that keeps rows together is there.

    Raises:
        UserError: it is not.
    """
    column = data.group_column
    if column is not None and column not in records[0].row:
        raise UserError(
            f"{train}: no column {column!r} to keep groups together by (data.group_column); "
            f"the columns are {', '.join(map(repr, records[0].row))}",
            code="missing_column",
            where=train,
        )


def _with_dev_set_aside(
    records: Sequence[Record], test: Rows | None, answers: Answers, data: DataFiles, seed: int, train: str
) -> Splits:
    require_group_column(records, data, train)
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
    return Splits(Rows(split.train, train), Rows(split.dev, share), test, answers, tuple(notes))
