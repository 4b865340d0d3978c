"""Texts that one task learns from and another is measured by: looked for, told, and taken out of training."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.recipes.splits import Rows, Splits

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Leak:
    """How many training rows of a task hold texts of a held-out part of another task; `where` is the first."""

    task: str
    other: str
    split: str
    rows: int
    where: str

    def __str__(self) -> str:
        noun = "row" if self.rows == 1 else "rows"
        return f"{self.rows:,} training {noun} of {self.task} in the {self.split} part of {self.other}"

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {"task": self.task, "other": self.other, "split": self.split, "rows": self.rows, "where": self.where}


def find_leaks(splits: Mapping[str, Splits]) -> tuple[Leak, ...]:
    """Training rows whose text or pair of texts, blanks around it aside, is a dev or test row of another task."""
    held = {
        (name, split): {_key(record) for record in rows.records}
        for name, parts in splits.items()
        for split, rows in parts.named().items()
        if split != "train"
    }
    found = []
    for task, parts in splits.items():
        for (other, split), keys in held.items():
            if other != task:
                rows = [record for record in parts.train.records if _key(record) in keys]
                found += [Leak(task, other, split, len(rows), rows[0].where)] if rows else []
    return tuple(found)


def without_leaks(
    splits: Mapping[str, Splits], leaks: Literal["drop", "refuse", "keep"]
) -> tuple[dict[str, Splits], tuple[Leak, ...], tuple[str, ...]]:
    """The splits as they may be trained on, what leaked, and what should be said about it.

    Raises:
        UserError: something leaks and is to be refused, or a task would have no training row left.
    """
    found = find_leaks(splits)
    if not found:
        return dict(splits), (), ()
    told = "; ".join(map(str, found))
    if leaks == "refuse":
        raise UserError(
            f"tasks leak into each other: {told} (the first is {found[0].where}); remove these rows, or set leaks to "
            "drop, which leaves them out of training",
            code="task_leak",
            where=found[0].where,
        )
    if leaks == "keep":
        note = f"tasks leak into each other and leaks=keep leaves them: {told}; figures of these parts are too good"
        return dict(splits), found, (note,)
    clean = {name: _without(name, parts, splits) for name, parts in splits.items()}
    lost = sum(len(splits[name].train.records) - len(parts.train.records) for name, parts in clean.items())
    note = f"tasks leak into each other, so {lost:,} rows were left out of training (leaks=drop): {told}"
    return clean, found, (note,)


def _without(name: str, parts: Splits, splits: Mapping[str, Splits]) -> Splits:
    """A task without the training rows that another is measured by."""
    held = {
        _key(record)
        for other, theirs in splits.items()
        if other != name
        for split, rows in theirs.named().items()
        if split != "train"
        for record in rows.records
    }
    kept = tuple(record for record in parts.train.records if _key(record) not in held)
    if not kept:
        raise UserError(
            f"{parts.train.source}: every training text of {name} stands in the dev or test part of another task; "
            "give it other texts, or set leaks to keep",
            code="task_leak",
            where=parts.train.source,
        )
    return replace(parts, train=Rows(kept, parts.train.source))


def _key(record: Record) -> Key:
    return record.text.strip(), (record.text_pair or "").strip()
