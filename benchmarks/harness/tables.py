"""Rows and verdicts as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.cases import Case
from harness.goals import Ratio, Verdict
from harness.rows import Row
from recording import table


def results_table(rows: Sequence[Row], cases: Mapping[str, Case]) -> str:
    """Every row, with what must be true beside ours."""
    return table([cells_of(row, rows, cases) for row in rows])


def verdicts_of(rows: Sequence[Row], cases: Mapping[str, Case]) -> list[Verdict]:
    """Every goal of the cases that have rows."""
    found = []
    for name in dict.fromkeys(row.case for row in rows):
        own = [row for row in rows if row.case == name]
        found += [goal.verdict(own) for goal in cases[name].goals]
    return found


def verdicts_table(verdicts: Sequence[Verdict]) -> str:
    """Every goal beside what was found."""
    return table(
        [
            {
                "case": each.case,
                "what": each.what,
                "found": each.found,
                "must": each.must,
                "moonshot": each.moonshot,
                "": each.word,
            }
            for each in verdicts
        ]
    )


def cells_of(row: Row, rows: Sequence[Row], cases: Mapping[str, Case]) -> dict[str, Any]:
    """A row in words."""
    return {
        "case": row.case,
        "system": row.system,
        "way": row.way,
        "best setting": row.setting,
        "rounds": row.rounds or "",
        "seconds": number(row.seconds),
        "spread": "" if row.spread is None or row.rounds < 2 else f"{row.spread:.0%}",
        "CPU s": number(row.cpu_seconds),
        "texts/s": number(row.texts_per_second),
        "tokens/s": number(row.tokens_per_second),
        "MFU": "" if row.utilisation is None else f"{row.utilisation:.0%}",
        "peak MB": "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
        "quality": f"missing: {row.missing}" if row.missing else quality(row),
        "× best peer": "" if row.ratio is None else f"{row.ratio:.2f} ({row.peer})",
        "must": must(row, rows, cases),
    }


def quality(row: Row) -> str:
    """The named numbers of a row: of several rounds the mean."""
    told = []
    for name, values in row.figures.items():
        mean = sum(values) / len(values)
        told.append(f"{name} {mean:.5f}" if "cosine" in name else f"{name} {mean:.4g}")
    return ", ".join(told)


def must(row: Row, rows: Sequence[Row], cases: Mapping[str, Case]) -> str:
    """The goal of this row against peers in the same way, and whether it is reached."""
    for goal in cases[row.case].goals if row.system == "bertsmith" else ():
        if isinstance(goal, Ratio) and goal.way == row.way and all(way == row.way for _, way in goal.peers):
            verdict = goal.verdict([each for each in rows if each.case == row.case])
            return f"{verdict.must} {verdict.word}"
    return ""


def number(value: float | None) -> str:
    """Three or four digits that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
