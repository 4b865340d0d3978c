"""Train a classifier on a CSV, test it on another, keep it.

python examples/classify_csv.py [train.csv test.csv [MODEL]]

Without arguments: the demo's questions, and a tiny encoder from random weights.
"""

import csv
import sys
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from bertsmith import Classifier

Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    """The rows of a CSV with the columns text and label."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def demo_rows() -> tuple[Rows, Rows]:
    """Every fifth group of wordings for the test."""
    rows = read(Path(str(files("bertsmith"))) / "assets" / "demo" / "zh_questions.csv")
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row["group"])]
    test = [row for group in groups[::5] for row in group]
    return [row for row in rows if row not in test], test


def columns(rows: Rows) -> tuple[list[str], list[str]]:
    """Texts and labels."""
    return [row["text"] for row in rows], [row["label"] for row in rows]


def main() -> None:
    """Train, test, save, load."""
    train, test = (read(Path(sys.argv[1])), read(Path(sys.argv[2]))) if len(sys.argv) > 2 else demo_rows()
    model = sys.argv[3] if len(sys.argv) > 3 else None
    classifier = Classifier(model, encoder=None if model else "tiny", verbose=True).fit(*columns(train))
    print("accuracy on the test rows:", round(classifier.score(*columns(test)), 4))
    with TemporaryDirectory() as folder:
        classifier.save(folder)
        again = Classifier.load(folder)
    texts = [row["text"] for row in test[:3]]
    for text, answer, chances in zip(texts, again.predict(texts), again.predict_proba(texts), strict=True):
        print(f"{text} -> {answer} ({chances.max():.2f})")


if __name__ == "__main__":
    main()
