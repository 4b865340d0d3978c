"""What matters most: how good the model is, what to beware of, what was done."""

from collections.abc import Iterator

import numpy as np

from bertsmith.metrics import Interval
from bertsmith.report.markup import Html, facts, join, paragraph, tag
from bertsmith.report.page import Section
from bertsmith.report.run import Answers, AnyReport, Notice, RunReport, Split
from bertsmith.report.wording import counted, metric_interval, metric_value, share, wording


def lead(report: RunReport) -> Html:
    """The headline numbers, the most held-out split first."""
    about = [report.task, report.model]
    if report.labels:
        about.append(counted(len(report.labels), "label"))
    headlines = (headline(split) for split in reversed(report.splits))
    return join(tag("p", " · ".join(about), class_="about"), *headlines)


def notices(report: AnyReport) -> Section | None:
    """What the check of the data and the loading of the weights had to say."""
    if not report.notices:
        return None
    order = ("error", "warning", "info")
    ordered = sorted(report.notices, key=lambda notice: order.index(notice.level))
    return Section("notices", "Beware", tag("ul", *map(_notice, ordered), class_="notices"))


def story(report: RunReport) -> Section:
    """What was done, in plain words."""
    told = join(*(join(sentence, " ") for sentence in sentences(report)))
    rows = list(report.setup.items())
    body = join(paragraph(told), facts(rows) if rows else "")
    return Section("story", "What was done", body)


def tile(metric: str, value: float, interval: Interval | None = None) -> Html:
    """A metric, large, with its interval and what it means."""
    words = wording(metric)
    sure = ""
    if interval is not None:
        sure = tag("p", "95 % interval ", metric_interval(metric, interval), class_="interval")
    return tag(
        "div",
        tag("p", words.name, class_="name"),
        tag("p", metric_value(metric, value), class_="value"),
        sure,
        tag("p", words.meaning, class_="meaning"),
        class_="tile",
    )


def headline(split: Split) -> Html:
    """The figures of a split, large."""
    tiles = (tile(metric, value, split.intervals.get(metric)) for metric, value in split.metrics.items())
    usual = {
        "dev": "The best weights were chosen on these texts, so the numbers are a little optimistic.",
        "test": "None of these texts took part in training or in choosing the weights.",
    }
    remark, called = split.remark or usual[split.name], split.called or split.name
    return tag(
        "div",
        tag("h2", f"On {called}: {counted(split.rows, 'text')} ", tag("small", f"({split.source})")),
        tag("div", *tiles, class_="tiles"),
        tag("p", remark, _floor(split), class_="remark"),
        class_="headline",
    )


def _floor(split: Split) -> str:
    """What a model without eyes would get, and what a spotless result is worth."""
    if not isinstance(split.answers, Answers):
        return ""
    floor = np.bincount(split.answers.truth).max() / split.rows
    told = f" Always answering the most frequent label would be right in {share(floor)}."
    if split.metrics.get("accuracy") == 1:
        sure = max(0.0, 1 - 3 / split.rows)
        told += (
            f" No error in {counted(split.rows, 'text')} proves an accuracy of at least {share(sure)}, not of 100 %."
        )
    return told


def _notice(notice: Notice) -> Html:
    where = tag("code", notice.where) if notice.where else ""
    fix = tag("span", notice.fix, class_="fix") if notice.fix else ""
    return tag("li", tag("strong", notice.level), " ", notice.what, " ", where, " ", fix, class_=notice.level)


def sentences(report: RunReport) -> Iterator[object]:
    """What a run learned from, and how its texts were read."""
    start = tag("strong", report.model)
    yield join("Training started from ", start, f" and used {counted(report.train_texts, 'text')} of ")
    yield join(tag("code", report.train_source), ".")
    for split in report.splits:
        part = "chose the best weights" if split.name == "dev" else "were kept for the final measurement"
        yield join(counted(split.rows, "text"), " (", tag("code", split.source), f") {part}.")
    if (cut := report.truncation) is None:
        return
    if cut.why:
        yield f"How long texts are read was chosen by the training texts: {cut.why}."
    if cut.whole:
        lost = f"{counted(cut.tokens, 'token')} of {counted(cut.texts, 'text')} are left out" if cut.texts else ""
        yield f"Texts longer than {counted(cut.max_length, 'token')} are {cut.strategy}; {lost or 'nothing is lost'}."
        return
    if not cut.texts:
        yield f"All texts fit into {counted(cut.max_length, 'token')}; none was shortened."
        return
    yield (
        f"Texts longer than {counted(cut.max_length, 'token')} were shortened ({cut.strategy}): that touched "
        f"{counted(cut.texts, 'text')} ({share(cut.texts / max(report.train_texts, 1))}) and lost "
        f"{counted(cut.tokens, 'token')}."
    )
