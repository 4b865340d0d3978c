"""A record: one row of a data file, its text and label understood."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeVar

from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.text.tags import SchemeName, Span

Label = str | float | tuple[str, ...] | None
"""One label, a number, several labels, or none."""

LabelKind = Literal["single", "several", "number", "spans", "none"]
"""How the label column is read; `spans` are marked texts (`data/tagged/`), `none` leaves it alone."""

PairKind = Literal["required", "optional", "ignored"]
"""Whether the second text of a pair must be there."""

BlankKind = Literal["refused", "kept"]
"""Whether a text may have nothing to see in it."""

OnError = Callable[[UserError], None]
"""Told of a problem in one row; returning drops that row and reads on."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked in a text: spans of characters, in order, none overlapping.

    Where the file came in tokens (CoNLL), `units` are the characters of each, and `scheme` that of its
    tags; `broken` says where these broke it and were read nevertheless.
    """

    spans: tuple[Span, ...] = ()
    units: tuple[tuple[int, int], ...] | None = None
    scheme: SchemeName | None = None
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One text (or pair) with its label; `where` is its place, as `train.csv:17`.

    `row` holds every field as it was read, under its own name and in its own order, so that
    predictions can be written beside what the user gave. Of a text with `marks`, `label` names the
    types that occur in it.
    """

    text: str
    text_pair: str | None = None
    label: Label = None
    row: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    marks: Marks | None = None


C = TypeVar("C", bound="Columns")


class Columns(Config):
    """Which columns of a file hold the text, the second text and the label."""

    text: str = "text"
    text_pair: str = "text_pair"
    label: str = "label"

    @classmethod
    def parse(cls: type[C], spec: str) -> C:
        """Read `text=sentence1,label=score`.

        Raises:
            UserError: a part is not `field=column`, or names a field twice or one that does not exist.
        """
        chosen: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in spec.split(","))):
            name, equals, column = (piece.strip() for piece in part.partition("="))
            if not equals or not column or name not in cls.model_fields or name in chosen:
                fields = ",".join(f"{field}=COLUMN" for field in cls.model_fields)
                raise UserError(
                    f"--columns {spec!r}: {part!r} does not fit; write {fields}, each at most once",
                    code="bad_columns",
                )
            chosen[name] = column
        return cls(**chosen)


USUAL_COLUMNS = Columns()


def refusal(where: str, what: str, code: str) -> UserError:
    """A refusal that opens with its place: `train.csv:17: ...`."""
    return UserError(f"{where}: {what}", code=code, where=where)


def raise_error(error: UserError) -> NoReturn:
    """Stop at the first problem."""
    raise error
