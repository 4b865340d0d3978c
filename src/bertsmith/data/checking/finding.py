"""What a check has to say: findings, each with its place and what to do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bertsmith.data.record import Record
from bertsmith.errors import UserError

Level = Literal["error", "warning", "info"]

Splits = Mapping[str, Sequence[Record]]
"""Records by the name of their split: `train`, `dev`, `test`."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: how bad, a short stable name, the first place, the fact, and the way out."""

    level: Level
    code: str
    what: str
    fix: str
    where: str | None = None
    examples: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields by name, for `--json`."""
        return {
            "level": self.level,
            "code": self.code,
            "where": self.where,
            "what": self.what,
            "fix": self.fix,
            "examples": list(self.examples),
        }


@dataclass(frozen=True, slots=True)
class LengthSummary:
    """Lengths in tokens, special tokens included; bar `i` counts texts of `edges[i]` to below `edges[i + 1]`."""

    texts: int
    tokens: int
    median: int
    p95: int
    longest: int
    edges: tuple[int, ...]
    counts: tuple[int, ...]
    max_length: int
    truncated_texts: int
    truncated_tokens: int

    def to_json(self) -> dict[str, Any]:
        """The fields by name, for `--json`."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, errors first, with the rows and the lengths of each split."""

    findings: tuple[Finding, ...]
    rows: dict[str, int]
    lengths: dict[str, LengthSummary] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings a training run refuses."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    def to_json(self) -> dict[str, Any]:
        """What `check --json` prints."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "rows": dict(self.rows),
            "lengths": {split: summary.to_json() for split, summary in self.lengths.items()},
        }


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Refuse data with errors.

    Raises:
        UserError: the first error, and how many more there are.
    """
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        more = f" ({len(errors) - 1} more errors: see bertsmith check)" if len(errors) > 1 else ""
        message = f"{errors[0].what}; {errors[0].fix}{more}"
        raise UserError(message, code=errors[0].code, where=errors[0].where)


def shown(records: Sequence[Record]) -> tuple[str, ...]:
    """A few records as places with the beginning of their text."""
    return tuple(f"{record.where} {quoted(record.text)}" for record in records[:_SHOWN])


def quoted(text: str, most: int = 60) -> str:
    """The beginning of a text on one line, control characters visible."""
    start = text if len(text) <= most else text[: most - 1] + "…"
    return '"' + "".join(character if character.isprintable() else repr(character)[1:-1] for character in start) + '"'


def count(number: int, noun: str) -> str:
    """`1 text`, `2,000 texts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def by_split(splits: Splits, chosen: Iterable[Record]) -> str:
    """`train 3, dev 1`: how many of the chosen records each split holds."""
    places = {id(record) for record in chosen}
    counts = {name: sum(id(record) in places for record in records) for name, records in splits.items()}
    return ", ".join(f"{name} {number:,}" for name, number in counts.items() if number)
