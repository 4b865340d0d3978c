"""What must be true at the end, as values, and whether it is."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.rows import Row

OURS = "bertsmith"


@dataclass(frozen=True)
class Verdict:
    """A goal beside what was found; `reached` is None where it could not be measured."""

    case: str
    what: str
    found: str
    must: str
    moonshot: str
    reached: bool | None

    @property
    def word(self) -> str:
        """In a word."""
        return {True: "reached", False: "missed", None: "not measured"}[self.reached]


@dataclass(frozen=True)
class Ratio:
    """We are so many times as fast, in `way`, as the fastest of some peers."""

    way: str
    peers: tuple[tuple[str, str], ...]
    must: float
    moonshot: float | None = None

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        """Judge the rows of a case."""
        ours = [row for row in rows if (row.system, row.way) == (OURS, self.way) and row.pace]
        theirs = [row for row in rows if (row.system, row.way) in self.peers and row.pace]
        ratio = ours[0].pace / max(row.pace for row in theirs) if ours and theirs else None
        names = " or ".join(f"{system} {way}" for system, way in self.peers)
        return Verdict(
            rows[0].case,
            f"{self.way} against {names}",
            "" if ratio is None else f"{ratio:.2f}",
            f"≥ {self.must:g}",
            "" if self.moonshot is None else f"≥ {self.moonshot:g}",
            None if ratio is None else ratio >= self.must,
        )


@dataclass(frozen=True)
class Limit:
    """A figure of our row lies on the right side of a bound."""

    way: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        """Judge the rows of a case."""
        ours = [row for row in rows if (row.system, row.way) == (OURS, self.way)]
        found = ours[0].figure(self.figure) if ours else None
        must = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        reached = None
        if found is not None:
            reached = found >= self.at_least if self.at_least is not None else found <= (self.at_most or 0.0)
        return Verdict(
            rows[0].case, f"{self.way}, {self.figure}", "" if found is None else f"{found:.5g}", must, "", reached
        )


@dataclass(frozen=True)
class Flat:
    """A figure differs between our rows by no more than a share of the smallest."""

    way: str
    figure: str
    must: float
    moonshot: float | None = None

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        """Judge the rows of a case."""
        found = [
            value
            for row in rows
            if (row.system, row.way) == (OURS, self.way) and (value := row.figure(self.figure)) is not None
        ]
        width = max(found) / min(found) - 1 if len(found) > 1 else None
        return Verdict(
            rows[0].case,
            f"{self.way}, {self.figure}: largest over smallest",
            "" if width is None else f"+{width:.1%}",
            f"≤ {self.must:.0%}",
            "" if self.moonshot is None else f"≤ {self.moonshot:.0%}",
            None if width is None else width <= self.must,
        )


@dataclass(frozen=True)
class Close:
    """One way of ours reaches the figure of another, within a bound or, over seeds, within noise.

    Noise: two standard errors of the difference of means.
    """

    name: str
    way: str
    other: str
    within: float | None = None

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        """Judge the rows of a case."""
        one, two = (
            next((row.rounds_of(self.name) for row in rows if (row.system, row.way) == (OURS, way)), ())
            for way in (self.way, self.other)
        )
        if not one or not two:
            return Verdict(rows[0].case, self._what, "", "", "", None)
        bound = self.within if self.within is not None else noise(one, two)
        difference = statistics.mean(one) - statistics.mean(two)
        worst = abs(difference) if self.within is not None else -difference
        reached = None if math.isnan(bound) else worst <= bound
        must = f"≤ {bound:.3g} away" if self.within is not None else f"≥ -{bound:.3g}"
        return Verdict(rows[0].case, self._what, f"{difference:+.3g}", must, "", reached)

    @property
    def _what(self) -> str:
        return f"{self.name} of {self.way} less that of {self.other}"


Goal = Ratio | Limit | Flat | Close


def noise(one: Sequence[float], two: Sequence[float]) -> float:
    """Two standard errors of the difference of two means; NaN where a single run tells no spread."""
    if min(len(one), len(two)) < 2:
        return math.nan
    return 2 * math.sqrt(statistics.variance(one) / len(one) + statistics.variance(two) / len(two))
