"""Check data before training on it: everything found in one go, each finding with what to do."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bertsmith.data.checking.copies import copy_findings
from bertsmith.data.checking.finding import CheckReport, Finding, LengthSummary, Splits, count, refuse_errors
from bertsmith.data.checking.labels import label_findings
from bertsmith.data.checking.lengths import TokenBudget, token_findings
from bertsmith.data.checking.marks import mark_findings
from bertsmith.data.checking.oddities import oddity_findings
from bertsmith.data.reading import read_records
from bertsmith.data.record import USUAL_COLUMNS, Columns, LabelKind, OnError, PairKind, Record
from bertsmith.data.tagged import read_tagged
from bertsmith.errors import UserError
from bertsmith.text.characters import is_blank

_LEVELS = ("error", "warning", "info")


def check_files(
    files: Mapping[str, Path],
    columns: Columns = USUAL_COLUMNS,
    *,
    labels: LabelKind = "single",
    pairs: PairKind = "optional",
    encoding: str = "utf-8",
    budget: TokenBudget | None = None,
) -> CheckReport:
    """Read the files of all splits and check them; what cannot be read becomes findings too."""
    problems: dict[str, list[UserError]] = {name: [] for name in files}
    splits: dict[str, list[Record]] = {name: [] for name in files}
    for name, path in files.items():
        noted = problems[name]
        try:
            splits[name].extend(_records(path, columns, labels, pairs, encoding, noted.append))
        except UserError as error:
            noted.append(error)
    readable = {name: records for name, records in splits.items() if records}
    report = check_splits(readable, labels=labels, budget=budget)
    broken = [finding for noted in problems.values() for finding in _format_findings(noted)]
    rows = {name: len(records) for name, records in splits.items()}
    return CheckReport(_sorted([*broken, *report.findings]), rows, report.lengths)


def _records(
    path: Path, columns: Columns, labels: LabelKind, pairs: PairKind, encoding: str, on_error: OnError
) -> Iterator[Record]:
    if labels == "spans":
        return read_tagged(path, columns, encoding=encoding, on_error=on_error)
    return read_records(path, columns, labels=labels, pairs=pairs, encoding=encoding, on_error=on_error)


def check_splits(splits: Splits, *, labels: LabelKind = "single", budget: TokenBudget | None = None) -> CheckReport:
    """Check records by split (`train`, `dev`, `test`); lengths and vocabulary only with a budget of tokens."""
    findings: list[Finding] = [*_blanks(splits), *label_findings(splits, labels)]
    findings += [*copy_findings(splits), *oddity_findings(splits), *mark_findings(splits)]
    lengths: dict[str, LengthSummary] = {}
    if budget is not None:
        more, lengths = token_findings(splits, budget)
        findings += [finding for finding in more if labels != "spans" or finding.code != "truncation"]
    return CheckReport(_sorted(findings), {name: len(records) for name, records in splits.items()}, lengths)


def require_trainable(splits: Splits, *, labels: LabelKind = "single") -> None:
    """Refuse what must not be trained on: no text, one label only, a label unseen in train, numbers that do not differ.

    Raises:
        UserError: the first such error.
    """
    refuse_errors([*_blanks(splits), *label_findings(splits, labels)])


def _blanks(splits: Splits) -> Iterator[Finding]:
    for name, records in splits.items():
        if not records:
            yield Finding("error", "empty_file", f"{name} holds no texts", "add labelled texts")
        blank = next((record for record in records if is_blank(record.text)), None)
        if blank is not None:
            what = f"{blank.where or name}: the text holds no visible character"
            yield Finding("error", "blank_text", what, "fill it or remove the row", blank.where)


def _format_findings(problems: Sequence[UserError]) -> Iterator[Finding]:
    by_code: dict[str, list[UserError]] = {}
    for error in problems:
        by_code.setdefault(error.code, []).append(error)
    for code, errors in by_code.items():
        more = f" ({count(len(errors) - 1, 'more such row')})" if len(errors) > 1 else ""
        examples = tuple(error.message for error in errors[1:6])
        fix = "mend the file there and check again"
        yield Finding("error", code, errors[0].message + more, fix, errors[0].where, examples)


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _LEVELS.index(finding.level)))
