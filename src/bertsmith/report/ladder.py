"""The page of a ladder: what pays on these texts, what it costs, and how sure that is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bertsmith.metrics import Interval
from bertsmith.report.ladder_plots import Dot, Stroke, forest_plot, sweep_plot, texts_plot
from bertsmith.report.markup import Html, facts, figure, join, paragraph, table, tag
from bertsmith.report.overview import tile
from bertsmith.report.page import Section, page
from bertsmith.report.rerun import commands
from bertsmith.report.wording import counted, duration, metric_value, wording


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRow:
    """One option: its runs on dev, beside what was kept before it. `times` is a run's cost in runs of the baseline."""

    rung: str
    name: str
    settings: str
    values: Sequence[float]
    mean: float
    std: float
    change: float
    interval: Interval
    p: float
    verdict: str
    minutes: float
    times: float
    kept: bool
    stuck: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RungTold:
    """A rung: its question and options; `answer` says in words what came of it."""

    name: str
    question: str
    answer: str
    options: Sequence[OptionRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A recipe on test: the means over seeds, and of the comparing metric every seed."""

    metrics: Mapping[str, float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderReport:
    """One ladder. `gain` is the difference on test with its interval and verdict; `sweeps` are numbers tried."""

    title: str
    about: Sequence[str]
    metric: str
    seeds: int
    level: float
    baseline: OptionRow
    rungs: Sequence[RungTold]
    kept: Sequence[str]
    final: OptionRow
    on_test: tuple[Measured, Measured] | None
    gain: tuple[float, Interval, str] | None
    skipped: Sequence[tuple[str, str]]
    sweeps: Mapping[str, Sequence[Dot]]
    curve: tuple[Sequence[Dot], Sequence[Dot]]
    notes: Sequence[str] = ()
    seconds: float = 0.0
    command: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""

    @property
    def options(self) -> Sequence[OptionRow]:
        """All options, rung by rung."""
        return [option for rung in self.rungs for option in rung.options]


def ladder_page(report: LadderReport) -> str:
    """Write the report of a ladder as one HTML page; sections without data are left out."""
    told = (section(report) for section in SECTIONS)
    return page(report.title, _lead(report), [section for section in told if section is not None])


def change(metric: str, value: float) -> str:
    """`+1.2` points for shares, three decimals otherwise."""
    return f"{100 * value:+.1f}" if wording(metric).percent else f"{value:+.3f}"


def between(metric: str, interval: Interval) -> str:
    """`-0.4 to +2.1`."""
    low, high = interval
    return f"{change(metric, low)} to {change(metric, high)}"


def _lead(report: LadderReport) -> Html:
    kept = join(*(join(", " if place else "", tag("code", name)) for place, name in enumerate(report.kept)))
    found = (
        paragraph(tag("strong", "What pays: "), kept, ".")
        if report.kept
        else paragraph(tag("strong", "Nothing that was tried is shown to pay"), " here; the baseline stays.")
    )
    return join(tag("p", " · ".join(report.about), class_="about"), found, _on_test(report))


def _on_test(report: LadderReport) -> Html:
    if report.on_test is None:
        return paragraph("There were no test texts; the figures on dev chose the recipe and are a little too good.")
    baseline, final = report.on_test
    blocks = (
        [("On test, baseline", baseline)]
        if report.gain is None
        else [
            ("On test, final recipe", final),
            ("On test, baseline", baseline),
        ]
    )
    tiles = [
        tag(
            "div",
            tag("h2", title),
            tag("div", *(tile(name, value) for name, value in each.metrics.items()), class_="tiles"),
            tag("p", f"Means over {report.seeds} seeds. {_seeds(report, each)}", class_="remark"),
            class_="headline",
        )
        for title, each in blocks
    ]
    return join(_gain(report), *tiles)


def _seeds(report: LadderReport, each: Measured) -> str:
    told = ", ".join(metric_value(report.metric, value) for value in each.values)
    return f"{wording(report.metric).name} of each: {told}."


def _gain(report: LadderReport) -> Html:
    if report.gain is None:
        return paragraph("The final recipe is the baseline, so there is no difference to test.")
    mean, interval, word = report.gain
    unit = " points" if wording(report.metric).percent else ""
    return paragraph(
        "On the test texts, read once at the end, the final recipe changes "
        f"{wording(report.metric).name} by {change(report.metric, mean)}{unit} "
        f"(95 % interval {between(report.metric, interval)}): it ",
        tag("strong", word if word != "noise" else "is not shown to differ"),
        ".",
    )


def _notes(report: LadderReport) -> Section | None:
    if not report.notes:
        return None
    items = (tag("li", tag("strong", "info"), " ", note, class_="info") for note in report.notes)
    return Section("notices", "Beware", tag("ul", *items, class_="notices"))


def _overview(report: LadderReport) -> Section | None:
    if not report.options:
        return None
    strokes = [
        Stroke(_plain(f"{one.rung}: {one.name}", place), one.verdict, one.change, *one.interval, stuck=one.stuck > 0)
        for place, one in enumerate(report.options, 1)
    ]
    caption = (
        f"Change of {wording(report.metric).name} on dev against what was kept before, with 95 % intervals. "
        f"Coloured is what is still found after Holm's correction over all {counted(len(strokes), 'comparison')}: "
        f"the chance of any false find is {100 * report.level:.0f} %. An interval that lies beside zero without "
        "colour is what many comparisons bring about by chance."
    )
    return Section("overview", "Every option", figure(forest_plot(strokes, report.metric), caption))


def _rungs(report: LadderReport) -> Section:
    name = wording(report.metric).name
    header = (
        "Option",
        f"{name} on dev",
        "± seeds",
        "Change",
        "95 % interval",
        "p",
        "Verdict",
        "Minutes",
        "A run takes",
    )
    pieces = [
        table(header, [_line(report, report.baseline)], caption="Baseline", numbers=(1, 2, 3, 4, 5, 7, 8)),
    ]
    for rung in report.rungs:
        lines = [_line(report, one) for one in rung.options]
        pieces += [
            tag("h3", rung.name),
            paragraph(rung.question, " ", tag("strong", rung.answer)),
            table(header, lines, caption=f"Options of {rung.name}", numbers=(1, 2, 3, 4, 5, 7, 8)),
        ]
    return Section("rungs", "Rung by rung", join(*pieces))


def _line(report: LadderReport, one: OptionRow) -> tuple[object, ...]:
    title = join(tag("strong", one.name) if one.kept else one.name, f" ({one.settings})" if one.settings else "")
    stuck = f"; {one.stuck} of {len(one.values)} runs did not converge" if one.stuck else ""
    first = one.verdict == "baseline"
    return (
        title,
        metric_value(report.metric, one.mean),
        metric_value(report.metric, one.std),
        "" if first else change(report.metric, one.change),
        "" if first else between(report.metric, one.interval),
        "" if first else f"{one.p:.2g}",
        f"{one.verdict}{', kept' if one.kept else ''}{stuck}",
        f"{one.minutes:.1f}",
        f"{one.times:.1f} ×",
    )


def _sweeps(report: LadderReport) -> Section | None:
    if not report.sweeps:
        return None
    figures = [
        figure(
            sweep_plot(f"sweep-{place}", name, dots, report.metric),
            f"{name}: a dot is a seed, the line their mean, a cross a value at which a run did not converge: its "
            "training loss did not fall, and on dev it is not shown to be better than the same answer for every text.",
        )
        for place, (name, dots) in enumerate(report.sweeps.items())
    ]
    return Section("sweeps", "Numbers", tag("div", *figures, class_="figures"))


def _curve(report: LadderReport) -> Section | None:
    plain, further = report.curve
    if not plain:
        return None
    words = (
        "The final recipe with fewer training texts, drawn anew for every seed; a dot is a seed. With few texts there "
        "are more epochs, so that all runs make enough updates. "
    )
    words += (
        "Further pre-training reads all training texts, without their labels."
        if further
        else "Further pre-training was not tried, so there is one curve only."
    )
    return Section("texts", "How many texts it needs", figure(texts_plot(plain, further, report.metric), words))


def _skipped(report: LadderReport) -> Section | None:
    if not report.skipped:
        return None
    items = (tag("li", tag("strong", name), f": {why}") for name, why in report.skipped)
    return Section("skipped", "What was left out", tag("ul", *items))


def _how(report: LadderReport) -> Section:
    text = (
        f"Every option was trained with {report.seeds} seeds and compared, on dev, with what was kept before it. The "
        "interval holds two kinds of chance: which texts happen to be in dev (paired bootstrap over texts, the same "
        "samples for all runs), and which seeds were drawn; the spread over seeds is that of all options of the "
        "ladder together, or an option's own where that is larger. Of the options of a rung that pay, the best is "
        "kept, or a cheaper one that is as good within its error. Dev chose the recipe, so its figures are a little "
        "too good for the final one; test was read once, at the end."
    )
    took = facts([("Time of the whole ladder", duration(report.seconds))])
    return Section("how", "How to read this", join(paragraph(text), took))


def _rerun(report: LadderReport) -> Section | None:
    return commands(report.command, report.versions, report.recipe)


def _plain(name: str, place: int) -> str:
    """Plots have letters for ASCII only."""
    return name if name.isascii() else f"option {place}"


SECTIONS: tuple[Callable[[LadderReport], Section | None], ...] = (
    _notes,
    _overview,
    _rungs,
    _sweeps,
    _curve,
    _skipped,
    _how,
    _rerun,
)
