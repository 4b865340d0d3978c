"""From the fields of a row to a record: which column, which type, which values are refused."""

import difflib
import json
import math
from collections.abc import Collection
from typing import Any

from bertsmith.config import Config
from bertsmith.data.record import BlankKind, Columns, Label, LabelKind, PairKind, Record, refusal
from bertsmith.errors import UserError
from bertsmith.text.characters import is_blank


class Fields(Config):
    """How the fields of every row of a file are understood."""

    columns: Columns = Columns()
    labels: LabelKind = "single"
    pairs: PairKind = "optional"
    blanks: BlankKind = "refused"

    def record(self, row: dict[str, Any], where: str) -> Record:
        """Understand one row.

        Raises:
            UserError: a column is missing, a text is blank or no text, a label is missing or of another kind.
        """
        text = self._text(row, self.columns.text, where)
        pair = self._pair(row, where)
        label = None if self.labels == "none" else read_label(self._value(row, "label", where), self.labels, where)
        return Record(text=text, text_pair=pair, label=label, row=row, where=where)

    def _pair(self, row: dict[str, Any], where: str) -> str | None:
        column = self.columns.text_pair
        if self.pairs == "ignored":
            return None
        optional = self.pairs == "optional" and column == Columns.model_fields["text_pair"].default
        if optional and row.get(column) in (None, ""):
            return None
        self._value(row, "text_pair", where)
        return self._text(row, column, where)

    def _text(self, row: dict[str, Any], column: str, where: str) -> str:
        if column not in row:
            raise self._missing("text", row, where)
        text = row[column]
        if not isinstance(text, str):
            raise refusal(where, f"column {column!r} must hold text, found {_shown(text)}", "not_text")
        if self.blanks == "refused" and is_blank(text):
            what = f"column {column!r} holds no visible character ({text!r:.40}); fill it or remove the row"
            raise refusal(where, what, "blank_text")
        return text

    def _value(self, row: dict[str, Any], field: str, where: str) -> Any:
        column = getattr(self.columns, field)
        if column not in row:
            raise self._missing(field, row, where)
        return row[column]

    def _missing(self, field: str, found: Collection[str], where: str) -> UserError:
        """Name the column and what there is; of columns that are in use already none is advised."""
        column = getattr(self.columns, field)
        columns = ", ".join(map(repr, list(found)[:20]))
        used = {getattr(self.columns, other) for other in Columns.model_fields if other != field}
        names = [name for name in found if isinstance(name, str) and name not in used]
        near = difflib.get_close_matches(column, names, n=1, cutoff=0.4) or names[:1]
        only = names[0] if len(found) == len(names) == 1 else ""
        advice = f"name it with --columns {field}={near[0]}" if near else "add it, or choose a task that needs none"
        if ";" in only or "\t" in only:
            sign = "';'" if ";" in only else "a TAB"
            advice = f"the columns seem to be separated by {sign}: save with commas, or with TABs as .tsv"
        return refusal(
            where, f"no column {column!r}; the columns are {columns or '(none)'}; {advice}", "missing_column"
        )


def read_label(value: Any, kind: LabelKind, where: str) -> Label:
    """Read a label as written in CSV or JSON: `1`, `"1"` and `1.0` in JSON are all the label `1`.

    Raises:
        UserError: it is missing or of another kind.
    """
    if value is None or (isinstance(value, str) and not value.strip() and kind != "several"):
        what = "the label is missing; every row needs one here. Label the text or remove the row"
        raise refusal(where, what, "missing_label")
    if kind == "number":
        return _number(value, where)
    if kind == "several":
        parts = value if isinstance(value, list | tuple) else _label_name(value, where).split("|")
        names = (_label_name(part, where) for part in parts)
        return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    return _label_name(value, where)


def _label_name(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise refusal(where, f"label {value} is not a label; was the cell empty?", "missing_label")
    if isinstance(value, str | int | float):
        return str(value)
    what = f"label {_shown(value)} is not a single label; a list of labels needs --task multilabel"
    raise refusal(where, what, "bad_label")


def _number(value: Any, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool | list | dict) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        what = f"label {_shown(value)} is not a finite number; this task needs one such as 3.5 (with a decimal point)"
        raise refusal(where, what, "bad_score")
    return number


def _shown(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False, default=str):.60}"
