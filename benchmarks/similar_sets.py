"""Groups of similar questions and labelled pairs, cut so that no text stands on two sides."""

import csv
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bertsmith.data import Columns, read_records

DEMO = Path("src/bertsmith/assets/demo/zh_questions.csv")
PAIRS = ("matching/zh_lcqmc/dev.tsv", "matching/zh_afqmc/train.tsv.gz", "matching/zh_atec/all.tsv.gz")
EVALUATED = ("matching/zh_lcqmc/test.tsv", "matching/zh_afqmc/dev.tsv", "sts/zh_stsb_cnsd/test.tsv")
"""Files whose texts nothing may be learned from."""

Pair = tuple[str, str, str]
"""Two texts and 1 if they mean the same, else 0."""


@dataclass(frozen=True)
class Sets:
    """What is learned from and what is measured on; groups by name."""

    train: dict[str, list[str]]
    dev: dict[str, list[str]]
    heldout: dict[str, list[str]]
    writer: list[Pair]
    """Pairs whose right ones the writer learns from."""
    judge: list[Pair]
    """Pairs of other texts, for the judge; what is connected stands together, in a random order."""
    dropped: int
    """Pairs that are connected with a text of an evaluation part."""

    def facts(self) -> dict[str, int]:
        """How much there is of each."""
        return {
            "train_groups": len(self.train),
            "heldout_groups": len(self.heldout),
            "heldout_texts": sum(map(len, self.heldout.values())),
            "writer_pairs": sum(pair[2] == "1" for pair in self.writer),
            "judge_pairs": len(self.judge),
            "dropped_pairs": self.dropped,
        }


def prepared(data: Path, *, seed: int = 0) -> Sets:
    """Split demo groups 6 : 1 : 3, and pairs by connected texts 6 : 4 between writer and judge.

    Every text that some pair joins with another, right or wrong, stands on the same side.
    """
    groups = _demo_groups()
    names = sorted(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    cuts = np.split(order, [int(0.6 * len(names)), int(0.7 * len(names))])
    train, dev, heldout = ({names[row]: groups[names[row]] for row in part} for part in cuts)
    forbidden = {text for part in (dev, heldout) for texts in part.values() for text in texts}
    forbidden |= {text for name in EVALUATED for pair in _pairs(data / name) for text in pair[:2]}
    pairs = [pair for name in PAIRS for pair in _pairs(data / name)]
    owner = _connected(pairs)
    spoiled = {owner[text] for text in owner if text in forbidden}
    kept = [pair for pair in dict.fromkeys(pairs) if owner[pair[0]] not in spoiled]
    writer = [pair for pair in kept if zlib.crc32(owner[pair[0]].encode()) % 10 < 6]
    judge = [pair for pair in kept if zlib.crc32(owner[pair[0]].encode()) % 10 >= 6]
    judge.sort(key=lambda pair: zlib.crc32(owner[pair[0]].encode()))
    return Sets(train, dev, heldout, writer, judge, dropped=len(set(pairs)) - len(kept))


def write_groups(path: Path, groups: Iterable[Sequence[str]]) -> None:
    """A group a line."""
    lines = (json.dumps({"texts": list(group)}, ensure_ascii=False) for group in groups)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Pairs with their label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("text", "text_pair", "label"))
        table.writerows(pairs)


def learned_groups(sets: Sets, wrong: float, *, seed: int = 0) -> list[list[str]]:
    """The demo's groups and right pairs, with so many wrong pairs that they are this share of all pairs."""
    right = [[first, second] for first, second, label in sets.writer if label == "1" and first != second]
    texts = sorted({text for pair in right for text in pair})
    random = np.random.default_rng(seed)
    number = round(wrong / (1 - wrong) * len(right))
    mixed = [[texts[one], texts[other]] for one, other in random.integers(0, len(texts), (number, 2)) if one != other]
    return [*sets.train.values(), *right, *mixed]


def _demo_groups() -> dict[str, list[str]]:
    with DEMO.open(encoding="utf-8") as file:
        groups: dict[str, list[str]] = defaultdict(list)
        for row in csv.DictReader(file):
            groups[row["group"]].append(row["text"])
    return {name: sorted(set(texts)) for name, texts in groups.items() if len(set(texts)) > 1}


def _pairs(path: Path) -> list[Pair]:
    columns = Columns.parse("text=sentence1,text_pair=sentence2")
    names = ("label", "score")
    return [
        (each.text, each.text_pair or "", str(next((each.row[name] for name in names if name in each.row), "")))
        for each in read_records(path, columns, labels="none")
    ]


def _connected(pairs: Iterable[Pair]) -> dict[str, str]:
    """For each text the one that stands for all it is connected with."""
    above: dict[str, str] = {}

    def top(text: str) -> str:
        while above.setdefault(text, text) != text:
            above[text] = above[above[text]]
            text = above[text]
        return text

    for first, second, _ in pairs:
        one, other = sorted((top(first), top(second)))
        above[other] = one
    return {text: top(text) for text in list(above)}
