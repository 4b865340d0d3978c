"""The report of a run: a list of sections, each a small function that may have nothing to say."""

from collections.abc import Callable, Sequence

from bertsmith.report.course import cost, groups, joined, learning, lengths
from bertsmith.report.label_sets import confidence_of_sets, errors_of_sets, labels_of_sets
from bertsmith.report.numbers import misses, scatter
from bertsmith.report.overview import lead, notices, story
from bertsmith.report.page import Section, page
from bertsmith.report.rerun import rerun
from bertsmith.report.results import confidence, confusions, errors, per_label
from bertsmith.report.run import RunReport
from bertsmith.report.spans import confusion_of_types, errors_of_spans, types_of_spans

OF_A_TASK: tuple[Callable[[RunReport], Section | None], ...] = (
    learning,
    joined,
    per_label,
    confusions,
    errors,
    confidence,
    labels_of_sets,
    errors_of_sets,
    confidence_of_sets,
    scatter,
    misses,
    types_of_spans,
    confusion_of_types,
    errors_of_spans,
    lengths,
)
"""What is told of a task, as far as its kind has it."""

SECTIONS = (notices, story, *OF_A_TASK, groups, cost, rerun)


def run_page(report: RunReport, sections: Sequence[Callable[[RunReport], Section | None]] = SECTIONS) -> str:
    """Write the report of a run as one HTML page; sections without data are left out."""
    told = (section(report) for section in sections)
    return page(report.title, lead(report), [section for section in told if section is not None])
