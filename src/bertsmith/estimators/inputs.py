"""What Python users hand over, as plain texts and labels: lists, arrays, columns of a table."""

import math
from dataclasses import dataclass
from typing import Any

from bertsmith.errors import UserError
from bertsmith.recipes import LabelType

_TYPES: dict[type, LabelType] = {bool: "bool", int: "int", float: "float", str: "str"}


def plain(values: Any) -> list[Any]:
    """A list of Python values from a list, an array, a Series or a column."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    values = list(values.tolist() if hasattr(values, "tolist") else values)
    return [value.item() if hasattr(value, "item") else value for value in values]


def strings(inputs: Any, *, name: str = "inputs", blanks: bool = False) -> list[str]:
    """Texts, none of them blank unless `blanks` may be; `name` is what the caller calls them.

    Raises:
        UserError: it is one text instead of many, or something in it is no text.
    """
    if isinstance(inputs, str):
        raise UserError("give a list of texts, not a single text: [text]", code="not_a_list")
    texts = plain(inputs)
    what, code = ("a text", "not_text") if blanks else ("a text with something in it", "blank_text")
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not (blanks or text.strip()):
            where = f"{name}[{number}]"
            raise UserError(f"{where} must be {what}, got {text!r:.60}", code=code, where=where)
    return texts


def pairs_of_texts(inputs: Any) -> tuple[list[str], list[str]]:
    """First and second texts of pairs.

    Raises:
        UserError: something is no pair, or a text is blank.
    """
    pairs = [tuple(pair) for pair in plain(inputs)]
    wrong = next((number for number, pair in enumerate(pairs) if len(pair) != 2), None)
    if wrong is not None:
        raise UserError(f"input {wrong} has {len(pairs[wrong])} texts; a pair has two", code="not_a_pair")
    return strings([a for a, _ in pairs]), strings([b for _, b in pairs])


@dataclass(frozen=True, slots=True)
class LabelSets:
    """The labels of each text as names, and what they were before."""

    names: list[tuple[str, ...]]
    kind: LabelType
    columns: int = 0

    def require_every_column(self) -> None:
        """Make sure that each column of an indicator matrix can be learned.

        Raises:
            UserError: names a column of zeros only.
        """
        known = {name for row in self.names for name in row}
        missing = next((column for column in range(self.columns) if str(column) not in known), None)
        if missing is not None:
            raise UserError(
                f"column {missing} of the indicator matrix has no 1: there is nothing to learn; leave it out",
                code="bad_label",
            )


def label_sets(labels: Any, *, surely: bool = False) -> LabelSets | None:
    """Several labels a text, from a list of labels each or an indicator matrix; None where it is one label each.

    Raises:
        UserError: rows are of different kinds, or a matrix holds something other than 0 and 1.
    """
    matrix = labels.toarray() if hasattr(labels, "toarray") else labels
    if getattr(matrix, "ndim", 1) == 2 and hasattr(matrix, "shape"):
        rows = plain(matrix)
        wrong = next((value for row in rows for value in row if value not in (0, 1)), None)
        if wrong is not None:
            raise UserError(f"an indicator matrix holds 0 and 1, found {wrong!r:.60}", code="bad_label")
        return LabelSets(
            [tuple(str(n) for n, yes in enumerate(row) if yes) for row in rows], "indicator", matrix.shape[1]
        )
    rows = plain(labels)
    several = [isinstance(row, list | tuple | set | frozenset) for row in rows]
    if not any(several) and not surely:
        return None
    if not all(several):
        number = several.index(False)
        raise UserError(
            f"labels[{number}] is {rows[number]!r:.60} where others are lists; give every text a list of labels",
            code="mixed_labels",
        )
    kind = label_type([label for row in rows for label in row])
    return LabelSets([tuple(str(label) for label in row) for row in rows], kind)


def finite_numbers(values: Any, name: str) -> list[float]:
    """Numbers, each finite.

    Raises:
        UserError: something is no number.
    """
    numbers = plain(values)
    for number, value in enumerate(numbers):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            message = f"{name}[{number}] is {value!r:.60}; give a finite number a text"
            raise UserError(message, code="bad_score", where=f"{name}[{number}]")
    return [float(value) for value in numbers]


def label_type(labels: Any) -> LabelType:
    """The one type of all labels.

    Raises:
        UserError: a label is missing or of no simple type, or types are mixed.
    """
    found: dict[LabelType, Any] = {}
    for number, label in enumerate(plain(labels)):
        kind = next((name for kind, name in _TYPES.items() if isinstance(label, kind)), None)
        if kind is None or label != label:
            message = f"labels[{number}] is {label!r:.60}; a label is a text, a number or a truth value"
            raise UserError(message, code="bad_label", where=f"labels[{number}]")
        found.setdefault(kind, label)
    if len(found) > 1:
        shown = " and ".join(f"{label!r} ({kind})" for kind, label in found.items())
        raise UserError(f"labels must be of one type, found {shown}; make them alike", code="mixed_labels")
    return next(iter(found), "str")


def typed(label: str, kind: LabelType) -> Any:
    """The label as it was before it became text."""
    if kind == "bool":
        return label == "True"
    return {"str": str, "int": int, "indicator": int, "float": float}[kind](label)
