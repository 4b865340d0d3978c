"""The model card of a sentence encoder: what it learned from, how good it is, how to use it, where it ends."""

import shlex
from typing import Any

import yaml

from bertsmith.recipes import SentenceBundle
from bertsmith.report.card import hub_metrics, metric_table, origin
from bertsmith.report.markdown import code, inline
from bertsmith.report.markup import printable
from bertsmith.report.run import RunReport
from bertsmith.report.wording import counted, share


def sentence_card(report: RunReport, bundle: SentenceBundle, *, folder: str) -> str:
    """Write README.md of a sentence encoder: a header for the hub, then words for people.

    `folder` is how the reader calls the model's folder.
    """
    header = yaml.safe_dump(_header(report), allow_unicode=True, sort_keys=False)
    table = metric_table(report)
    figures = f"## How good it is\n\n{table}" if table else ""
    parts = [_about(report, bundle), figures, _use(bundle, folder), _limits(report), origin(report)]
    body = "\n".join(part for part in parts if part)
    return printable(f"---\n{header}---\n\n# {inline(report.title)}\n\n{body}")


def _header(report: RunReport) -> dict[str, Any]:
    header: dict[str, Any] = {
        "language": [report.language] if report.language else None,
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["bertsmith", "sentence-transformers", "feature-extraction", report.task],
        "base_model": report.base_model,
        "metrics": hub_metrics(report),
    }
    return {name: value for name, value in header.items() if value}


def _about(report: RunReport, bundle: SentenceBundle) -> str:
    task = bundle.task
    dense = f", then {counted(len(task.projections), 'dense layer')}" if task.projections else ""
    cut = f" Trained to be cut to {', '.join(map(str, task.matryoshka))} dimensions." if task.matryoshka else ""
    writes = " It also writes similar sentences." if "mlm" in bundle.heads else ""
    return (
        f"A vector of {bundle.width} dimensions for each text: pooling {task.pooling}{dense}; compare by cosine. "
        f"Made with bertsmith by {code(report.task)} from {code(report.model)} on "
        f"{counted(report.train_texts, 'text')} of {code(report.train_source)}.{cut}{writes}\n"
    )


def _use(bundle: SentenceBundle, folder: str) -> str:
    return (
        "## How to use it\n\n"
        f"```sh\nbertsmith encode --model {shlex.quote(folder)} --input texts.csv --output vectors.npy\n```\n\n"
        f"```python\nfrom bertsmith import SentenceEncoder\n\n"
        f'SentenceEncoder({folder!r}).encode(["a text", "another text"])\n```\n\n'
        f"sentence-transformers loads it too: `SentenceTransformer({folder!r})`.\n"
    )


def _limits(report: RunReport) -> str:
    lines = [
        "## Limits\n",
        "- Cosines have an order, not a meaning of their own: choose a threshold on your own pairs.",
    ]
    if (cut := report.truncation) is not None:
        lines.append(
            f"- It learned from the first {counted(cut.max_length, 'token')} of each text; that shortened "
            f"{counted(cut.texts, 'text')} ({share(cut.texts / max(report.train_texts, 1))})."
        )
    return "\n".join(lines) + "\n"
