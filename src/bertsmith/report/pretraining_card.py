"""The model card of a pre-training run: what it learned from and how, what it can do, what it cost."""

import shlex
from typing import Any

import yaml

from bertsmith.report.card import origin
from bertsmith.report.markdown import code, inline
from bertsmith.report.markup import printable
from bertsmith.report.pretraining import PretrainReport
from bertsmith.report.wording import counted, duration, memory, metric_value, wording


def pretraining_card(report: PretrainReport, *, folder: str) -> str:
    """Write README.md of a pre-trained encoder: a header for the hub, then words for people.

    `folder` is how the reader calls the encoder's folder.
    """
    header = yaml.safe_dump(_header(report), allow_unicode=True, sort_keys=False)
    parts = [
        *(_about(report), _data(report), _objective(report), _measures(report)),
        *(_use(report, folder), _cost(report), _limits(report), origin(report)),
    ]
    body = "\n".join(part for part in parts if part)
    return printable(f"---\n{header}---\n\n# {inline(report.title)}\n\n{body}")


def _header(report: PretrainReport) -> dict[str, Any]:
    header: dict[str, Any] = {
        "language": [report.language] if report.language else None,
        "library_name": "transformers",
        "pipeline_tag": "fill-mask" if "masked_tokens" in report.heldout else "feature-extraction",
        "tags": ["bertsmith", report.objective],
        "base_model": report.base_model,
    }
    return {name: value for name, value in header.items() if value}


def _about(report: PretrainReport) -> str:
    told = report.corpus
    return (
        f"An encoder, pre-trained from {code(report.model)} with the objective {code(report.objective)} of bertsmith "
        f"on {counted(told.tokens, 'token')} in {counted(told.documents, 'document')}. It has no task yet: "
        "fine-tune it.\n"
    )


def _data(report: PretrainReport) -> str:
    told = report.corpus
    lines = ["## Data\n"]
    if told.files:
        lines += ["| file | bytes | BLAKE2b |", "|---|--:|---|"]
        lines += [f"| {_cell(file.name)} | {file.size:,} | {code(file.checksum)} |" for file in told.files]
        lines.append("")
    lines.append(f"- Vocabulary: {counted(told.vocabulary, 'token')}.")
    lines.append(f"- Held out, to measure by: {counted(told.heldout_documents, 'document')}.")
    if told.excluded is not None:
        kept_out = ", ".join(map(code, told.excluded_by))
        lines.append(f"- Left out, since they also stand in {kept_out}: {counted(told.excluded, 'paragraph')}.")
    return "\n".join(lines) + "\n"


def _cell(name: str) -> str:
    """A name as code within a table, where a bar would end the cell."""
    return code(name).replace("|", "\\|")


def _objective(report: PretrainReport) -> str:
    told = {**report.words, **report.setup}
    rows = [f"- {inline(name)}: {inline(value)}" for name, value in told.items()]
    return "\n".join(["## How it learned\n", *rows]) + "\n" if rows else ""


def _measures(report: PretrainReport) -> str:
    if not report.heldout:
        return ""
    rows = [
        f"| {inline(wording(name).name)} | {metric_value(name, value)} | {inline(wording(name).meaning)} |"
        for name, value in report.heldout.items()
    ]
    words = "On held-out texts of the same corpus, none of which was learned from:\n"
    return "\n".join(["## How good it is\n", words, "| | value | |", "|---|--:|---|", *rows]) + "\n"


def _use(report: PretrainReport, folder: str) -> str:
    place = shlex.quote(folder)
    head = (
        f"With its head over the vocabulary: `AutoModelForMaskedLM.from_pretrained({folder!r})`.\n"
        if "masked_tokens" in report.heldout
        else ""
    )
    return (
        "## How to use it\n\n"
        f"```sh\nbertsmith finetune --task classification --model {place} --train train.csv --out runs/task\n```\n\n"
        f"```python\nfrom bertsmith import Encoder\n\nencoder = Encoder.from_pretrained({folder!r})\n```\n\n"
        f"transformers loads it: `AutoModel.from_pretrained({folder!r})`. {head}"
    ).rstrip() + "\n"


def _cost(report: PretrainReport) -> str:
    if (speed := report.speed) is None:
        return ""
    rate = speed.tokens / max(speed.seconds, 1e-9)
    peak = "" if speed.memory is None else f"; at most {memory(speed.memory)} of memory"
    return (
        f"## What it cost\n\n{duration(speed.seconds)} of training: {counted(speed.updates, 'update')}, "
        f"{counted(speed.tokens, 'token')}, {rate:,.0f} tokens a second{peak}.\n"
    )


def _limits(report: PretrainReport) -> str:
    lines = [
        "## Limits\n",
        "- It knows what its corpus holds, its mistakes and prejudices too. How much it helps on a task is known once "
        "it is fine-tuned and measured there.",
    ]
    lines += [f"- {inline(notice.what)}" for notice in report.notices if notice.level != "info"]
    return "\n".join(lines) + "\n"
