"""`bertsmith evaluate`: metrics of a trained model on labelled texts, with intervals."""

from pathlib import Path
from typing import Any

from bertsmith.cli.options import CommonOptions
from bertsmith.cli.output import print_json


def evaluate(
    *,
    model: str,
    data: Path,
    task: str | None = None,
    columns: str | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Measure a fine-tuned model on labelled texts: metrics with 95 % intervals, and a confusion table.

    Example: bertsmith evaluate --model runs/first --data test.csv

    Parameters
    ----------
    model
        Folder of a fine-tuned model, or of an ensemble.
    data
        Labelled texts: .csv, .tsv, .jsonl or .parquet.
    task
        Of a model of several tasks, the one to measure.
    columns
        Names of the columns, as text=sentence1,text_pair=sentence2,label=score.
    """
    options = common or CommonOptions()
    findings = measure_file(model, data, task=task, columns=columns, options=options)
    if options.json:
        print_json(findings)
    else:
        print_findings(findings)


def measure_file(
    model: str, data: Path, *, task: str | None, columns: str | None, options: CommonOptions
) -> dict[str, Any]:
    """Evaluate a file; returns the JSON object."""
    from bertsmith.data import Columns
    from bertsmith.recipes import evaluate_bundle, load_model, read_rows
    from bertsmith.training import resolve_device

    device = resolve_device(options.device)
    bundle = load_model(model, task=task)
    chosen = Columns.parse(columns) if columns else Columns()
    rows = read_rows(data, bundle.answers, chosen, encoding=options.encoding or "utf-8")
    measured, truncated = evaluate_bundle(bundle, rows, device=device, seed=options.seed or 0)
    return {
        "metrics": dict(measured.metrics),
        "intervals": {name: list(interval) for name, interval in measured.intervals.items()},
        "rows": len(rows.records),
        "truncated": {"texts": truncated.texts, "tokens": truncated.tokens},
        **measured.details(),
    }


def print_findings(findings: dict[str, Any]) -> None:
    """Print metrics, per-class table and confusion table for people."""
    print(f"{findings['rows']:,} rows")
    for name, value in findings["metrics"].items():
        low, high = findings["intervals"].get(name, (value, value))
        print(f"  {name:12} {value:.4f}   95 % interval {low:.4f} to {high:.4f}")
    for name in ("mean_absolute_error", "root_mean_squared_error", "mean_error"):
        if name in findings:
            print(f"  {name:24} {findings[name]:.4g}")
    if "errors" in findings:
        print("  wrong spans: " + ", ".join(f"{number:,} {kind}" for kind, number in findings["errors"].items()))
    if "per_class" in findings:
        print_labels(findings)


def print_labels(findings: dict[str, Any]) -> None:
    """Print how well each label is found, and which are taken for which."""
    print("\n  precision  recall      f1  support  label")
    for row in findings["per_class"]:
        cut = f"   (given from {row['threshold']:.3f} on)" if "threshold" in row else ""
        scores = f"{row['precision']:9.4f} {row['recall']:7.4f} {row['f1']:7.4f} {row['support']:8,}"
        print(f"  {scores}  {row['label']}{cut}")
    labels = findings["labels"]
    if "confusion" in findings and len(labels) <= 20:
        width = max(len(str(max(map(max, findings["confusion"])))), 3) + 1
        print("\nconfusion (rows: true, columns: answered, in the order of the labels)")
        for label, row in zip(labels, findings["confusion"], strict=True):
            print("  " + "".join(f"{count:{width}}" for count in row) + f"  {label}")
