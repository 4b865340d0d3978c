"""The model card: what the model is for, how good it is, how to use it, where it ends."""

import shlex
from collections.abc import Iterator
from typing import Any

import yaml

from bertsmith.report.markdown import code, fenced, inline
from bertsmith.report.markup import printable
from bertsmith.report.run import AnyReport, RunReport, Split
from bertsmith.report.wording import counted, metric_interval, metric_value, share, wording

_HUB_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "auc": "roc_auc",
    "spearman": "spearmanr",
    "pearson": "pearsonr",
}

_FRONTS = {"pair": "PairClassifier", "regression": "Regressor", "tagging": "Tagger"}
_SAYS = {
    "multilabel": "some or none of its labels",
    "regression": "a number",
    "tagging": "some or none of its types",
}


def model_card(report: RunReport, *, folder: str) -> str:
    """Write README.md of a trained model: a header for the hub, then words for people.

    `folder` is how the reader calls the model's folder.
    """
    header = yaml.safe_dump(_header(report), allow_unicode=True, sort_keys=False)
    table = metric_table(report)
    metrics = f"## How good it is\n\n{table}" if table else ""
    parts = [_about(report), metrics, _use(report, folder), limits(report), origin(report)]
    body = "\n".join(part for part in parts if part)
    return printable(f"---\n{header}---\n\n# {inline(report.title)}\n\n{body}")


def _header(report: RunReport) -> dict[str, Any]:
    header: dict[str, Any] = {
        "language": [report.language] if report.language else None,
        "library_name": "transformers",
        "pipeline_tag": _pipeline(report),
        "tags": ["bertsmith", report.task],
        "base_model": report.base_model,
        "metrics": hub_metrics(report),
        "model-index": _model_index(report),
    }
    return {name: value for name, value in header.items() if value}


def _pipeline(report: RunReport) -> str:
    return "token-classification" if report.task == "tagging" else "text-classification"


def hub_metrics(report: RunReport) -> list[str]:
    """The names of the metrics on the hub."""
    names = report.held_out.metrics if report.held_out else ()
    return [_HUB_METRICS.get(name, name) for name in names]


def _model_index(report: RunReport) -> list[dict[str, Any]]:
    results = [
        {
            "task": {"type": _pipeline(report), "name": report.task},
            "dataset": {"name": split.source, "type": "custom", "split": split.name},
            "metrics": [
                {"type": _HUB_METRICS.get(name, name), "name": wording(name).name, "value": round(value, 5)}
                for name, value in split.metrics.items()
            ],
        }
        for split in report.splits
    ]
    return [{"name": report.title, "results": results}] if results else []


def _about(report: RunReport) -> str:
    lines = [
        f"Task: {report.task}. Fine-tuned from {code(report.model)} with bertsmith on "
        f"{counted(report.train_texts, 'text')} of {code(report.train_source)}.",
    ]
    if report.labels:
        lines.append(f"\nLabels ({len(report.labels)}): {', '.join(map(code, report.labels))}.")
    return "\n".join(lines) + "\n"


def metric_table(report: RunReport) -> str:
    """The figures of every split; nothing if there are none."""
    if not report.splits:
        return ""
    lines = ["| split | texts | metric | value | 95 % interval |", "|---|--:|---|--:|---|"]
    for split in reversed(report.splits):
        lines.extend(_metric_lines(split))
    if any(split.name == "dev" and split.remark is None for split in report.splits):
        lines.append("\nThe best weights were chosen on dev, so its numbers are a little optimistic.")
    return "\n".join(lines) + "\n"


def _metric_lines(split: Split) -> Iterator[str]:
    for name, value in split.metrics.items():
        interval = metric_interval(name, split.intervals[name]) if name in split.intervals else ""
        called = split.called or split.name
        cells = (called, f"{split.rows:,}", inline(wording(name).name), metric_value(name, value), interval)
        yield f"| {' | '.join(cells)} |"


def _use(report: RunReport, folder: str) -> str:
    front = _FRONTS.get(report.task, "Classifier")
    pairs = report.held_out is not None and report.held_out.answers is not None and report.held_out.answers.pairs
    texts = '[("a text", "another text")]' if pairs or report.task == "pair" else '["a text"]'
    return (
        "## How to use it\n\n"
        f"```sh\nbertsmith predict --model {shlex.quote(folder)} --input texts.csv --output answers.csv\n```\n\n"
        f"```python\nfrom bertsmith import {front}\n\n"
        f"model = {front}.load({folder!r})\nmodel.predict({texts})\n```\n\n"
        f"transformers loads {_encoder(report, folder)}.\n"
    )


def _encoder(report: RunReport, folder: str) -> str:
    if report.members == 1:
        return f"the encoder: `AutoModel.from_pretrained({folder!r})`"
    first = f"{folder}/members/0"
    return f"the encoder of each of the {report.members} members: `AutoModel.from_pretrained({first!r})`"


def limits(report: RunReport, *, heading: bool = True) -> str:
    """Where the model ends."""
    lines = [
        *(["## Limits\n"] if heading else [""]),
        f"- It answers with {_SAYS.get(report.task, 'one of its labels')}, whatever the text says; texts unlike its "
        "training texts get answers that mean little. Check it on your own texts: `bertsmith evaluate`.",
    ]
    if (cut := report.truncation) is not None:
        reads = "sequences of up to " if cut.whole else ""
        lost = (
            f"in training that shortened {counted(cut.texts, 'text')} ({share(cut.texts / max(report.train_texts, 1))})"
        )
        lines.append(f"- It reads {reads}{counted(cut.max_length, 'token')} of a text ({cut.strategy}); {lost}.")
    serious = [notice for notice in report.notices if notice.level != "info"]
    lines.extend(f"- {inline(notice.what)}" for notice in serious)
    return "\n".join(lines) + "\n"


def origin(report: AnyReport) -> str:
    """The command and the versions."""
    if not (report.command or report.versions):
        return ""
    lines = ["## Where it comes from\n"]
    if report.command:
        lines.append(f"{fenced(shlex.join(report.command), 'sh')}\n")
    if report.versions:
        lines.append("Versions: " + ", ".join(f"{name} {version}" for name, version in report.versions.items()) + ".")
    lines.append("\nThe complete recipe is `recipe.yaml`, the full report `report.html`.")
    return "\n".join(lines) + "\n"
