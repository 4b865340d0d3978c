"""Which options of a ladder pay: judged rung by rung, with one promise for the whole ladder."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bertsmith.experiments.significance import LEVEL, Difference, Runs, Spread, Verdict, difference, holm, verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """What an option changes, beside what was kept before it; `adjusted` is the p-value after Holm."""

    found: Difference
    adjusted: float
    verdict: Verdict


@dataclass(slots=True)
class Jury:
    """Judges option after option; `planned` says how many comparisons the ladder will make.

    A difference is measured once, when its rung is done, with the spread of all stable recipes known by then.
    Later rungs can turn a `noise` of an earlier one into a find (Holm's correction grows milder with every
    find), never the other way round.
    """

    planned: int
    level: float = LEVEL
    _stable: list[Runs] = field(default_factory=list)
    _found: list[Difference] = field(default_factory=list)

    def know(self, runs: Runs) -> None:
        """Learn from a recipe what the spread over seeds is."""
        self._stable.append(runs)

    def rung(self, before: Runs, options: Sequence[Runs], *, unstable: Sequence[int] = ()) -> list[Judged]:
        """Judge the options of a rung beside what was kept so far.

        `unstable` are the places of those that did not converge: their spread is left to themselves.
        """
        for place, runs in enumerate(options):
            if place not in unstable:
                self.know(runs)
        spread = Spread.pooled(self._stable)
        self._found += [difference(before, runs, spread) for runs in options]
        return self.all()[len(self._found) - len(options) :]

    def all(self) -> list[Judged]:
        """Every option judged so far, as things stand now."""
        to_come = max(self.planned - len(self._found), 0)
        adjusted = holm([found.p for found in self._found], to_come=to_come)
        return [
            Judged(found, value, verdict(found, value, level=self.level))
            for found, value in zip(self._found, adjusted, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option of a rung, judged: its mean on dev, and what a run of it costs."""

    mean: float
    cost: float
    judged: Judged


def chosen(options: Sequence[Candidate]) -> int | None:
    """The place of the option to keep: of those that pay the best, or a cheaper one as good within its error.

    None: nothing pays, so the simpler recipe stays.
    """
    paying = [place for place, option in enumerate(options) if option.judged.verdict == "pays"]
    if not paying:
        return None
    best = max(paying, key=lambda place: options[place].mean)
    enough = options[best].mean - options[best].judged.found.error
    as_good = [place for place in paying if options[place].mean >= enough]
    return min(as_good, key=lambda place: (options[place].cost, -options[place].mean))
