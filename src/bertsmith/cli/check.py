"""`bertsmith check`: what is wrong with the data, where, and what to do, before any training."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bertsmith.cli.options import CommonOptions, Task
from bertsmith.cli.output import print_json
from bertsmith.errors import UserError

if TYPE_CHECKING:
    from bertsmith.data import CheckReport, LabelKind, PairKind, TokenBudget

READS: "dict[str | None, tuple[LabelKind, PairKind]]" = {
    None: ("single", "optional"),
    "classification": ("single", "ignored"),
    "multilabel": ("several", "ignored"),
    "regression": ("number", "optional"),
    "pair": ("single", "required"),
    "tagging": ("spans", "ignored"),
}
"""How each kind of task reads labels and second texts."""


def check(
    *,
    train: Path,
    dev: Path | None = None,
    test: Path | None = None,
    model: str | None = None,
    task: Task | None = None,
    columns: str | None = None,
    max_length: int | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Check labelled texts: format, labels, copies, leaks between splits, lengths, vocabulary.

    Example: bertsmith check --train train.csv --test test.csv --model bert-base-chinese

    Exits with 2 when a finding is an error: something a training run would refuse.

    Parameters
    ----------
    train
        Training texts: .csv, .tsv, .jsonl or .parquet.
    dev
        Development texts.
    test
        Test texts.
    model
        Also count tokens as this model does: lengths, what truncation loses, unknown tokens.
    task
        How labels are read: one (the default), several (multilabel), a number (regression) or spans (tagging: CoNLL,
        or a column `spans`). `pair` insists on a second text in every row; without a task, pairs are read where there
        are any.
    columns
        Names of the columns, as text=sentence1,text_pair=sentence2,label=score.
    max_length
        Tokens the model will read of a text (512, or what the model can).
    """
    options = common or CommonOptions()
    from bertsmith.data import Columns, check_files

    files = {name: path for name, path in (("train", train), ("dev", dev), ("test", test)) if path is not None}
    labels, pairs = READS[task]
    report = check_files(
        files,
        Columns.parse(columns) if columns else Columns(),
        labels=labels,
        pairs=pairs,
        encoding=options.encoding or "utf-8",
        budget=token_budget(model, max_length),
    )
    if options.json:
        print_json(report.to_json())
    else:
        print_report(report)
    if report.errors:
        told = "one finding is an error" if len(report.errors) == 1 else f"{len(report.errors)} findings are errors"
        raise ErrorsFound(f"{told}: a training run would refuse this data")


class ErrorsFound(UserError):
    """The findings are printed already; only the exit code is left to give."""


def token_budget(model: str | None, max_length: int | None) -> "TokenBudget | None":
    """The tokenizer of a model and the tokens it will read of one text."""
    if model is None:
        return None
    from bertsmith.data import TokenBudget
    from bertsmith.encoder import read_config
    from bertsmith.encoder.hub import resolve
    from bertsmith.finetuning import Truncate, length_limit
    from bertsmith.text import Tokenizer

    folder = resolve(model)
    positions = read_config(folder).position.max_positions
    limit = length_limit(Truncate(max_length=max_length), positions)
    return TokenBudget(Tokenizer.from_folder(folder), limit)


def print_report(report: "CheckReport") -> None:
    """Print the findings for people, errors first."""
    print("  ".join(f"{name}: {rows:,} rows" for name, rows in report.rows.items()))
    for finding in report.findings:
        place = f" [{finding.where}]" if finding.where else ""
        print(f"\n{finding.level.upper()}{place} {finding.what}")
        print(f"  what to do: {finding.fix}")
        for example in finding.examples:
            print(f"    {example}")
    for name, lengths in report.lengths.items():
        print(f"\n{name}: median {lengths.median} tokens, 95 % up to {lengths.p95}, longest {lengths.longest}")
    sys.stdout.flush()
