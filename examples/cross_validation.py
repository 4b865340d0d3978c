"""Cross-validation of a pipeline with scikit-learn: clean the texts, then classify them.

python examples/cross_validation.py [train.csv]      columns: text, label
"""

import csv
import sys
import unicodedata
from collections.abc import Sequence
from importlib.resources import files

from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from bertsmith import Classifier


def half_width(texts: Sequence[str]) -> list[str]:
    """Full-width letters and digits become half-width, spaces at the ends go."""
    return [unicodedata.normalize("NFKC", text).strip() for text in texts]


def main() -> None:
    """Three folds; a fold trains from random weights on the texts of the other two."""
    path = sys.argv[1] if len(sys.argv) > 1 else str(files("bertsmith") / "assets" / "demo" / "en_questions.csv")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    pipeline = make_pipeline(FunctionTransformer(half_width), Classifier(encoder="tiny"))
    print("accuracy of each fold:", cross_val_score(pipeline, texts, labels, cv=3).round(4))


if __name__ == "__main__":
    main()
