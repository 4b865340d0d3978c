"""What the harness and its processes tell each other, one JSON object a line; the standard library is enough for it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


class Missing(Exception):
    """A system cannot be measured here, and why."""


@dataclass(frozen=True)
class Job:
    """What a process is to prepare: `system` does `task` in one of its ways (a precision, a kind of index).

    `files` are paths by name, `options` whatever the task needs besides (batch size, lengths, rate).
    """

    system: str
    task: str
    way: str
    files: Mapping[str, str]
    options: Mapping[str, Any]
    threads: int
    device: str = "cpu"


@dataclass(frozen=True)
class Ask:
    """One round: `setting` is the peer's (or our) free choice, `keep` a file for the vectors, if they are wanted."""

    setting: Mapping[str, Any]
    round: int
    keep: str | None = None


@dataclass(frozen=True)
class Measure:
    """What a round took and gave: seconds of the clock and of all threads, peak bytes, its own count of tokens.

    `figures` are named numbers (accuracy, recall@10).
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int = 0
    tokens: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a process says: that it is ready, a measure, or why there is none (`missing`: it never will be)."""

    ready: bool = False
    measure: Measure | None = None
    missing: str | None = None
    failed: str | None = None


def written(message: Job | Ask | Answer) -> str:
    """A message as a line."""
    return json.dumps(asdict(message), ensure_ascii=False)


def read_job(line: str) -> Job:
    """The job in a line."""
    return Job(**json.loads(line))


def read_ask(line: str) -> Ask:
    """The round in a line."""
    return Ask(**json.loads(line))


def read_answer(line: str) -> Answer:
    """The answer in a line."""
    values = json.loads(line)
    if values["measure"] is not None:
        values["measure"] = measure_of(values["measure"])
    return Answer(**values)


def measure_of(values: Mapping[str, Any]) -> Measure:
    """A measure from what was written of it."""
    return Measure(**{each.name: values[each.name] for each in fields(Measure) if each.name in values})
