"""The page of a search: the best set, every trial, which settings mattered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bertsmith.metrics import Interval
from bertsmith.report.markup import Html, facts, figure, join, paragraph, table, tag
from bertsmith.report.overview import tile
from bertsmith.report.page import Section, page
from bertsmith.report.rerun import commands
from bertsmith.report.search_plots import choices_plot, importance_plot, numbers_plot, trials_plot
from bertsmith.report.wording import counted, duration, metric_value, share, wording


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One set of values: `written` are the values for people, `settings` as they are."""

    settings: Mapping[str, Any]
    written: Mapping[str, str]
    status: str
    value: float | None
    spread: float | None
    seconds: float
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A model measured on a split."""

    title: str
    remark: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneReport:
    """One search. `rows` stand in the order they were tried; `fields` says whether a field is drawn by ratio."""

    title: str
    about: Sequence[str]
    metric: str
    higher: bool
    rows: Sequence[TrialRow]
    best: TrialRow
    seeds: int
    fields: Mapping[str, bool]
    figures: Sequence[Figures]
    importance: Sequence[tuple[str, float]] | None
    method: str
    notes: Sequence[str] = ()
    seconds: float = 0.0
    command: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""


def tune_page(report: TuneReport) -> str:
    """Write the report of a search as one HTML page; sections without data are left out."""
    told = (section(report) for section in SECTIONS)
    return page(report.title, _lead(report), [section for section in told if section is not None])


def _lead(report: TuneReport) -> Html:
    best = report.best
    spread = "" if best.spread is None else f", ± {metric_value(report.metric, best.spread)} over seeds"
    value = "" if best.value is None else metric_value(report.metric, best.value)
    found = paragraph(
        tag("strong", "Best: "),
        join(*(join(tag("code", f"{name}={value}"), " ") for name, value in best.written.items())),
        f"with {wording(report.metric).name} {value} on dev{spread}.",
    )
    figures = (
        tag(
            "div",
            tag("h2", each.title),
            tag("div", *(tile(m, v, each.intervals.get(m)) for m, v in each.metrics.items()), class_="tiles"),
            tag("p", each.remark, class_="remark"),
            class_="headline",
        )
        for each in report.figures
    )
    return join(tag("p", " · ".join(report.about), class_="about"), found, *figures)


def _notes(report: TuneReport) -> Section | None:
    if not report.notes:
        return None
    items = (tag("li", tag("strong", "info"), " ", note, class_="info") for note in report.notes)
    return Section("notices", "Beware", tag("ul", *items, class_="notices"))


def _trials(report: TuneReport) -> Section:
    header = ("", *report.fields, f"{wording(report.metric).name} on dev", "± seeds", "Time", "How it ended")
    order = sorted(range(len(report.rows)), key=lambda place: _rank(report, place))
    rows = [_line(report, number, report.rows[place]) for number, place in enumerate(order, 1)]
    last = len(header)
    body = join(
        paragraph(report.method),
        figure(
            trials_plot([row.value for row in report.rows], report.metric, higher=report.higher),
            "A dot is a set of values, in the order they were tried; the line is the best so far.",
        ),
        table(header, rows, caption="Sets of values, the best first", numbers=(0, last - 4, last - 3, last - 2)),
    )
    return Section("trials", "Every set", body)


def _rank(report: TuneReport, place: int) -> tuple[int, float]:
    row = report.rows[place]
    if row.value is None:
        return 2, float(place)
    return int(row.status != "done"), -row.value if report.higher else row.value


def _line(report: TuneReport, number: int, row: TrialRow) -> tuple[object, ...]:
    value = "" if row.value is None else metric_value(report.metric, row.value)
    spread = "" if row.spread is None else metric_value(report.metric, row.spread)
    ended = row.status if row.why is None else f"{row.status}: {row.why}"
    values = (row.written.get(name, "") for name in report.fields)
    return number, *values, value, spread, duration(row.seconds), ended


def _importance(report: TuneReport) -> Section | None:
    if len(report.fields) < 1:
        return None
    if report.importance is None:
        words = "There are too few sets, or no difference between them, to tell which settings mattered."
        return Section("importance", "Which settings mattered", paragraph(words))
    told = ", ".join(f"{name} {share(value)}" for name, value in report.importance)
    rest = share(max(0.0, 1 - sum(value for _, value in report.importance)))
    words = (
        "How much of the spread between sets goes with each setting beside all others (analysis of variance, less "
        f"what chance would explain): {told}. The rest, {rest}, is settings acting together, and noise."
    )
    return Section("importance", "Which settings mattered", figure(importance_plot(report.importance), words))


def _values(report: TuneReport) -> Section | None:
    ended = [row for row in report.rows if row.value is not None and row.status == "done"]
    if not ended:
        return None
    figures = [_of_field(number, name, ended, report) for number, name in enumerate(report.fields)]
    return Section("values", "What each value gave", tag("div", *figures, class_="figures"))


def _of_field(number: int, name: str, ended: Sequence[TrialRow], report: TuneReport) -> Html:
    values = [row.settings[name] for row in ended]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numeric and len(set(values)) > 6:
        points = np.array([[value, row.value] for value, row in zip(values, ended, strict=True)], dtype=np.float64)
        picture = numbers_plot(f"values-{number}", name, points, metric=report.metric, log=report.fields[name])
        return figure(picture, f"{name}: a dot is a set.")
    order = sorted(set(values)) if numeric else list(dict.fromkeys(map(repr, values)))
    written = {value if numeric else repr(value): row.written[name] for value, row in zip(values, ended, strict=True)}
    groups: list[list[float]] = [
        [row.value for row in ended if row.value is not None and _same(row.settings[name], one, numeric=numeric)]
        for one in order
    ]
    picture = choices_plot(f"values-{number}", name, [written[one] for one in order], groups, metric=report.metric)
    return figure(picture, f"{name}: a dot is a set, the line the mean.")


def _same(value: Any, one: Any, *, numeric: bool) -> bool:
    return bool(value == one) if numeric else repr(value) == one


def _cost(report: TuneReport) -> Section:
    done = [row for row in report.rows if row.seconds]
    total = sum(row.seconds for row in done)
    told = [
        ("Sets", f"{len(report.rows):,}"),
        ("Seeds each", f"{report.seeds}"),
        ("Training time, all added up", duration(total)),
        ("Time from the first to the last", duration(report.seconds)),
    ]
    return Section("cost", "What it cost", facts(told))


def _rerun(report: TuneReport) -> Section | None:
    return commands(report.command, report.versions, report.recipe)


SECTIONS: tuple[Callable[[TuneReport], Section | None], ...] = (
    _notes,
    _trials,
    _importance,
    _values,
    _cost,
    _rerun,
)


def counted_statuses(counts: Mapping[str, int]) -> str:
    """`12 done, 3 stopped`."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or counted(0, "set")
