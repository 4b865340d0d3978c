"""From measures of rounds to the rows of a table: medians, spread, rates, utilisation."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.protocol import Measure, measure_of

SLOWER = 1.15
"""A setting that takes so many times the best one's time in the first round is not tried again."""


PRECISIONS = {"memory": "float32", "reading again": "float32"}
"""Of ways that are not called after theirs."""


@dataclass
class Entry:
    """A contender in one setting: what its rounds took, or why there are none."""

    system: str
    way: str
    setting: Mapping[str, Any]
    measures: list[Measure] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    missing: str | None = None

    @property
    def pace(self) -> float:
        """Work a second, of the median round; 0 if there is none."""
        return statistics.median(pace_of(measure) for measure in self.measures) if self.measures else 0.0


@dataclass(frozen=True)
class Row:
    """A contender at its best setting. `pace` is work a second: tokens where rounds count them, else whole rounds."""

    case: str
    system: str
    way: str
    setting: str = ""
    rounds: int = 0
    pace: float = 0.0
    seconds: float | None = None
    spread: float | None = None
    cpu_seconds: float | None = None
    texts_per_second: float | None = None
    tokens_per_second: float | None = None
    utilisation: float | None = None
    peak_mb: float | None = None
    figures: Mapping[str, Sequence[float]] = field(default_factory=dict)
    ratio: float | None = None
    peer: str = ""
    missing: str | None = None

    def figure(self, name: str) -> float | None:
        """A named number of this row: of several rounds the median."""
        own = {
            "seconds": self.seconds,
            "peak MB": self.peak_mb,
            "ns/token": 1e9 / self.tokens_per_second if self.tokens_per_second else None,
        }
        if name in own:
            return own[name]
        values = self.rounds_of(name)
        return statistics.median(values) if values else None

    def rounds_of(self, name: str) -> Sequence[float]:
        """The number of every round."""
        return self.figures.get(name, ())


def pace_of(measure: Measure) -> float:
    """Work a second of a round."""
    return (measure.tokens or 1) / measure.seconds


def spread_of(values: Sequence[float]) -> float:
    """How far values lie apart, as a share of their median."""
    return (max(values) - min(values)) / statistics.median(values)


def too_slow(entries: Sequence[Entry]) -> list[Entry]:
    """Of the settings of one contender after a round: those that are no longer worth a round."""
    best = max((entry.pace for entry in entries), default=0.0)
    return [entry for entry in entries if entry.measures and entry.pace * SLOWER < best]


def rows_of(case: Mapping[str, Any], ceilings: Mapping[str, float]) -> list[Row]:
    """The rows of a case as it was recorded; of a contender's settings the fastest counts, unless each has a row."""
    entries = [entry_of(values) for values in case["entries"]]
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        key = (entry.system, entry.way, *(entry.setting.items() if case["each"] else ()))
        groups.setdefault(key, []).append(entry)
    rows = [row_of(max(group, key=lambda entry: entry.pace), case, ceilings) for group in groups.values()]
    return rows if case["each"] else [beside_best_peer(row, rows) for row in rows]


def entry_of(values: Mapping[str, Any]) -> Entry:
    """An entry from what was written of it."""
    return Entry(**{**values, "measures": [measure_of(each) for each in values["measures"]]})


def row_of(entry: Entry, case: Mapping[str, Any], ceilings: Mapping[str, float]) -> Row:
    """An entry as a row."""
    setting = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in entry.setting.items())
    if not entry.measures:
        return Row(case["name"], entry.system, entry.way, setting, missing=entry.missing)
    amount = {**case["amount"], **entry.setting} if case["each"] else case["amount"]
    seconds = statistics.median(measure.seconds for measure in entry.measures)
    counted = entry.measures[0].tokens
    tokens = counted if counted is not None else amount.get("tokens")
    operations = amount.get("operations") if counted is None else amount.get("operations_per_token", 0) * counted
    ceiling = ceilings.get(PRECISIONS.get(entry.way, entry.way))
    return Row(
        case=case["name"],
        system=entry.system,
        way=entry.way,
        setting=setting,
        rounds=len(entry.measures),
        pace=entry.pace,
        seconds=seconds,
        spread=spread_of([measure.seconds for measure in entry.measures]),
        cpu_seconds=statistics.median(measure.cpu_seconds for measure in entry.measures),
        texts_per_second=amount["texts"] / seconds if amount.get("texts") else None,
        tokens_per_second=tokens / seconds if tokens else None,
        utilisation=operations / seconds / ceiling if operations and ceiling else None,
        peak_mb=max(measure.peak_bytes for measure in entry.measures) / 1e6,
        figures=figures_of(entry),
    )


def figures_of(entry: Entry) -> dict[str, list[float]]:
    """Named numbers, round by round."""
    found: dict[str, list[float]] = {name: [value] for name, value in entry.figures.items()}
    for measure in entry.measures:
        for name, value in measure.figures.items():
            found.setdefault(name, []).append(value)
    return found


def beside_best_peer(row: Row, rows: Sequence[Row]) -> Row:
    """Our row with how many times as fast it is as the fastest peer in the same way, and which that is."""
    peers = [each for each in rows if each.system != "bertsmith" and each.way == row.way and each.pace]
    if row.system != "bertsmith" or not row.pace or not peers:
        return row
    best = max(peers, key=lambda each: each.pace)
    return Row(**{**vars(row), "ratio": row.pace / best.pace, "peer": best.system})
