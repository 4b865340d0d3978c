"""The report of a pre-training run: what it learned from, how it went, what it can do; from plain values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bertsmith.pretraining.filling import FillIn
from bertsmith.pretraining.replacement import degraded_share
from bertsmith.recipes import TOO_MANY_DEGRADED
from bertsmith.report.course import cost
from bertsmith.report.markup import Html, facts, figure, join, paragraph, quoted, table, tag
from bertsmith.report.masking import KINDS
from bertsmith.report.overview import notices, tile
from bertsmith.report.page import Section, page
from bertsmith.report.plots import course_plot, rate_plot
from bertsmith.report.rerun import rerun
from bertsmith.report.run import Course, Notice, Speed
from bertsmith.report.wording import counted, share, wording


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the corpus as it was read; `checksum` is its BLAKE2b."""

    name: str
    size: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFacts:
    """What was learned from: files, and how much is in them; `heldout_documents` were set aside to measure by.

    `excluded` paragraphs were left out, since they stand in the files `excluded_by`; None: no such files.
    """

    sources: Sequence[str]
    tokens: int
    documents: int
    shards: int
    vocabulary: int
    heldout_documents: int = 0
    files: Sequence[SourceFile] = ()
    excluded: int | None = None
    excluded_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainReport:
    """One pre-training run.

    `words` describe the objective by aspect, `setup` names further choices in the reader's words;
    `heldout` are the final measures on held-out texts, `losses` and `shares` their courses, `rate`
    that of the learning rate; `counts` say what became of the hidden tokens.
    """

    title: str
    objective: str
    model: str
    corpus: CorpusFacts
    words: Mapping[str, str] = field(default_factory=dict)
    setup: Mapping[str, str] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    heldout: Mapping[str, float] = field(default_factory=dict)
    losses: Sequence[Course] = ()
    shares: Sequence[Course] = ()
    rate: Course | None = None
    fill_ins: Sequence[FillIn] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    speed: Speed | None = None
    command: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    language: str | None = None
    base_model: str | None = None


@dataclass(frozen=True, slots=True)
class Courses:
    """What `log.jsonl` tells of a run."""

    losses: tuple[Course, ...] = ()
    shares: tuple[Course, ...] = ()
    rate: Course | None = None


def courses(lines: Sequence[Mapping[str, Any]], loss_names: Sequence[str]) -> Courses:
    """Read the courses off the lines of a log; a run with one loss logs it as `loss` alone."""
    updates = [line for line in lines if "loss" in line]
    evaluations = [line for line in lines if "evaluation" in line]
    if not updates:
        return Courses()
    counted = [line for line in lines if "counted" in line]
    measured = {name: None for line in evaluations for name in line["evaluation"]}
    measured |= {name: None for line in counted for name in line["counted"]}
    single = len(loss_names) == 1
    losses = [
        _course(
            name, [(line["step"], line["loss"] if single else line["losses"][name]) for line in updates], evaluations
        )
        for name in loss_names
    ]
    shares = [
        _course(
            name, [(line["step"], line["counted"][name]) for line in counted if name in line["counted"]], evaluations
        )
        for name in measured
        if name not in (*loss_names, "loss")
    ]
    rate = _course("lr", [(line["step"], line["lr"]) for line in updates], [])
    return Courses(tuple(losses), tuple(shares), rate)


def _course(name: str, values: Sequence[tuple[int, float]], evaluations: Sequence[Mapping[str, Any]]) -> Course:
    measured = [(line["step"], line["evaluation"][name]) for line in evaluations if name in line["evaluation"]]
    return Course(
        name=name,
        steps=np.array([step for step, _ in values], dtype=np.int64),
        values=np.array([value for _, value in values], dtype=float),
        heldout_steps=np.array([step for step, _ in measured], dtype=np.int64),
        heldout=np.array([value for _, value in measured], dtype=float),
    )


def pretrain_page(report: PretrainReport) -> str:
    """Write the report of a run as one HTML page; sections without data are left out."""
    told = (section(report) for section in SECTIONS)
    return page(report.title, _lead(report), [section for section in told if section is not None])


def _lead(report: PretrainReport) -> Html:
    about = tag("p", f"{report.objective} · {report.model} · {counted(report.corpus.tokens, 'token')}", class_="about")
    if not report.heldout:
        return about
    tiles = tag("div", *(tile(name, value) for name, value in report.heldout.items()), class_="tiles")
    aside = report.corpus.heldout_documents
    title = f"On {counted(aside, 'held-out document')}" if aside else "On held-out texts"
    remark = tag("p", "None of these texts was learned from.", class_="remark")
    return join(about, tag("div", tag("h2", title), tiles, remark, class_="headline"))


def story(report: PretrainReport) -> Section:
    """What was asked of the encoder, and how."""
    start = join("Training started from ", tag("strong", report.model), " with the objective ")
    pieces = [paragraph(start, tag("strong", report.objective), ".")]
    pieces += [facts(list(told.items())) for told in (report.words, report.setup) if told]
    return Section("story", "What was done", join(*pieces))


def corpus(report: PretrainReport) -> Section:
    """What was learned from."""
    told = report.corpus
    numbers = {
        "Tokens": told.tokens,
        "Documents": told.documents,
        "Held-out documents": told.heldout_documents,
        "Shards": told.shards,
        "Vocabulary": told.vocabulary,
    }
    names = tag("ul", *(tag("li", tag("code", source)) for source in told.sources))
    return Section("corpus", "The corpus", join(names, facts([(name, f"{n:,}") for name, n in numbers.items()])))


def learning(report: PretrainReport) -> Section | None:
    """Every loss, what is counted beside it, and the learning rate, by update."""
    drawn = [course for course in (*report.losses, *report.shares) if len(course.steps) or len(course.heldout_steps)]
    if not drawn:
        return None
    figures = [figure(course_plot(course), _caption(course)) for course in drawn]
    if report.rate is not None and len(report.rate.steps):
        figures.append(figure(rate_plot(report.rate.steps, report.rate.values), "Learning rate by update."))
    return Section("learning", "Learning curves", tag("div", *figures, class_="figures"))


def _caption(course: Course) -> str:
    words = wording(course.name)
    training = "pale by update, bold its running mean" if len(course.steps) else ""
    heldout = "dots on held-out texts" if len(course.heldout_steps) else ""
    return f"{words.name}: {'; '.join(filter(None, (words.meaning, training, heldout)))}."


def fill_ins(report: PretrainReport) -> Section | None:
    """What the model would put into holes."""
    if not report.fill_ins:
        return None
    rows = [_filled(fill) for fill in report.fill_ins]
    known = [fill for fill in report.fill_ins if fill.answer is not None]
    words = "Each hole with the model's best guesses and how likely it takes them to be."
    if known:
        words += f" Of {counted(len(known), 'hole')}, the best guess is right in {sum(fill.right for fill in known):,}."
    header = ("Text", "Right token", "Guesses")
    body = join(paragraph(words), table(header, rows, caption="Sample fill-ins"))
    return Section("fill-ins", "What it would write", body)


def _filled(fill: FillIn) -> tuple[object, ...]:
    text = tag(
        "div", fill.before, " ", tag("span", "?", class_="token mask"), " ", fill.after, class_="text", dir="auto"
    )
    guesses = [f"{guess.token} {share(guess.probability)}" for guess in fill.guesses]
    answer = "" if fill.answer is None else quoted(fill.answer, limit=80)
    return text, answer, " · ".join(guesses)


def replacement(report: PretrainReport) -> Section | None:
    """What became of the hidden tokens."""
    total = sum(report.counts.values())
    if not total:
        return None
    rows = [(KINDS[kind], f"{number:,}", share(number / total)) for kind, number in report.counts.items() if number]
    body = table(("What became of them", "Tokens", "Share"), rows, caption="Hidden tokens", numbers=(1, 2))
    if degraded_share(report.counts) > TOO_MANY_DEGRADED:
        words = "More than a tenth found no similar word: a longer list would come nearer to the paper."
        body = join(paragraph(words), body)
    return Section("replacement", "What stood in place of hidden tokens", body)


SECTIONS: tuple[Callable[[PretrainReport], Section | None], ...] = (
    notices,
    story,
    corpus,
    learning,
    fill_ins,
    replacement,
    cost,
    rerun,
)
