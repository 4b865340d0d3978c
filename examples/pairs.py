"""Do two questions ask the same? A classifier of pairs of texts.

python examples/pairs.py [pairs.csv [MODEL]]      columns: text, text_pair, label

Without arguments: a handful of pairs and random weights, so expect guesses; a checkpoint knows more.
"""

import csv
import sys

from bertsmith import PairClassifier

PAIRS = [
    ("怎么退货", "我想退货，怎么弄", "same"),
    ("发票怎么开", "能给我开张发票吗", "same"),
    ("快递到哪了", "我的包裹现在在哪", "same"),
    ("怎么退货", "发票怎么开", "different"),
    ("快递到哪了", "能给我开张发票吗", "different"),
    ("我想退货，怎么弄", "我的包裹现在在哪", "different"),
] * 4


def main() -> None:
    """Train on pairs and ask about two new ones."""
    rows = PAIRS
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8", newline="") as file:
            rows = [(row["text"], row["text_pair"], row["label"]) for row in csv.DictReader(file)]
    model = sys.argv[2] if len(sys.argv) > 2 else None
    classifier = PairClassifier(model, encoder=None if model else "tiny", settings=["criterion.class_weights=balanced"])
    classifier.fit([(one, other) for one, other, _ in rows], [label for _, _, label in rows])
    new = [("退货流程是什么", "怎么退货"), ("退货流程是什么", "开发票要多久")]
    for (one, other), answer in zip(new, classifier.predict(new), strict=True):
        print(f"{one} | {other} -> {answer}")


if __name__ == "__main__":
    main()
