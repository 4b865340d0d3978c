"""A folder with the files the documents speak of: small data, and stand-ins for the checkpoints they name."""

import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path

from bertsmith.encoder import EncoderConfig, new_encoder, save_checkpoint
from bertsmith.features import Pooler
from bertsmith.generation import Shifted, generation_block
from bertsmith.heads import VocabularyHead
from bertsmith.text import train_vocabulary
from tests.docs.documents import ROOT

CHECKPOINTS = ("bert-base-chinese", "hfl/chinese-macbert-base", "hfl/chinese-roberta-wwm-ext")
TENSORFLOW = ROOT / "tests" / "encoder" / "tensorflow" / "fixtures" / "simbert"
LABELS, TRAIN, TEST = 4, 12, 5
Row = Sequence[str]


def prepare_workplace(folder: Path) -> None:
    """Write every file; `train.csv` and its like hold a few of the demo's questions."""
    by_label = _questions()
    train = list(chain(*(rows[:TRAIN] for rows in by_label)))
    test = list(chain(*(rows[TRAIN : TRAIN + TEST] for rows in by_label)))
    write(folder / "train.csv", ("text", "label", "group"), train)
    write(folder / "dev.csv", ("text", "label", "group"), test)
    write(folder / "test.csv", ("text", "label", "group"), test)
    write(folder / "new.csv", ("id", "text"), [(str(number), row[0]) for number, row in enumerate(test)])
    write(folder / "other_names.csv", ("question", "intent"), [row[:2] for row in train])
    write(folder / "old.csv", ("text", "label"), [row[:2] for row in train], encoding="gb18030")
    write(folder / "one_label.csv", ("text", "label"), [(row[0], "same") for row in train])
    write(folder / "pairs.csv", ("text", "text_pair", "label"), _pairs(train))
    write(folder / "topics.csv", ("text", "label"), [(row[0], _topics(row)) for row in train])
    write(folder / "scores.csv", ("text", "label"), [(row[0], str(len(row[0]))) for row in train])
    write(folder / "similar.csv", ("text", "text_pair", "label"), _similar(train))
    write(folder / "reviews.csv", ("text", "label"), _long(by_label))
    write_search(folder, [row[0] for row in train])
    (folder / "news.txt").write_text(_paragraphs(by_label), encoding="utf-8")
    write_names(folder)
    for name in CHECKPOINTS:
        write_stand_in(folder / name, [row[0] for row in chain(*by_label)])
    write_stand_in(folder / "simbert-tiny", [row[0] for row in chain(*by_label)], writes=True)
    shutil.copytree(TENSORFLOW, folder / "chinese_simbert_L-4_H-312_A-12")


def write(path: Path, names: Row, rows: Iterable[Row], encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([names, *rows])


def write_search(folder: Path, texts: Sequence[str]) -> None:
    """more.jsonl, and documents.jsonl, queries.jsonl and qrels.tsv: what is searched for, and which is right."""
    lines = {
        "more": [{"id": f"m{number}", "text": f"{text}?"} for number, text in enumerate(texts[:3])],
        "documents": [{"doc_id": f"d{number}", "text": text} for number, text in enumerate(texts)],
        "queries": [{"query_id": f"q{number}", "text": f"请问{text}"} for number, text in enumerate(texts[:9])],
    }
    for name, rows in lines.items():
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(content, encoding="utf-8")
    judged = "".join(f"q{number}\td{number}\t1\n" for number in range(9))
    (folder / "qrels.tsv").write_text("query_id\tdoc_id\trelevance\n" + judged, encoding="utf-8")


def write_names(folder: Path) -> None:
    """names.jsonl, names_test.jsonl and names.conll: people and places in short sentences."""
    pairs = [(person, place) for person in ("彭小军", "李明", "王芳") for place in ("北京", "上海", "广州")]
    for name, rows in (("names", pairs * 3), ("names_test", pairs)):
        lines = [{"text": f"{a}去了{b}。", "spans": _named(a, b)} for a, b in rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    sentences = ["".join(map("{}\t{}\n".format, f"{a}去了{b}。", _tags(a, b))) for a, b in pairs * 3]
    (folder / "names.conll").write_text("\n".join(sentences), encoding="utf-8")


def _named(person: str, place: str) -> list[list[int | str]]:
    return [[0, len(person), "PER"], [len(person) + 2, len(person) + 2 + len(place), "LOC"]]


def _tags(person: str, place: str) -> list[str]:
    inside = ["I-PER"] * (len(person) - 1)
    return ["B-PER", *inside, "O", "O", "B-LOC", *["I-LOC"] * (len(place) - 1), "O"]


def write_stand_in(folder: Path, texts: Sequence[str], *, writes: bool = False) -> None:
    """One layer with random weights, under the name of a real checkpoint; one that writes has SimBERT's heads."""
    tokenizer = train_vocabulary(texts, size=1000)
    config = EncoderConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=16, num_layers=1, num_heads=2, intermediate_size=32
    )
    tokenizer.save(folder)
    pooler = Pooler(16).dense.state_dict()
    heads, extras = {"pooler": pooler}, {}
    if writes:
        heads["mlm"] = VocabularyHead(config).state_dict()
        extras = {"bertsmith": generation_block(Shifted())}
    save_checkpoint(folder, new_encoder(config, seed=0), family="bert", heads=heads, config_extras=extras)


def _questions() -> list[list[Row]]:
    """The first labels of the demo's Chinese questions, each with its rows (text, label, group)."""
    source = ROOT / "src" / "bertsmith" / "assets" / "demo" / "zh_questions.csv"
    by_label: dict[str, list[Row]] = defaultdict(list)
    with source.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_label[row["label"]].append((row["text"], row["label"], row["group"]))
    return list(by_label.values())[:LABELS]


def _pairs(rows: Sequence[Row]) -> list[Row]:
    """Neighbours, and questions far apart: the same intent or not."""
    chosen = [*pairwise(rows), *zip(rows[:-TRAIN], rows[TRAIN:], strict=True)]
    return [(one[0], other[0], "yes" if one[1] == other[1] else "no") for one, other in chosen]


def _topics(row: Row) -> str:
    """The intent, and whether it is asked with few words: none, one or two labels."""
    return "|".join([*([row[1]] if len(row[0]) % 3 else []), *(["short"] if len(row[0]) < 12 else [])])


def _similar(rows: Sequence[Row]) -> list[Row]:
    """Neighbours, and the share of characters they have in common, from 0 to 5."""
    together = ((one[0], other[0]) for one, other in pairwise(rows))
    return [(a, b, f"{5 * len(set(a) & set(b)) / len(set(a) | set(b)):.2f}") for a, b in together]


def _paragraphs(by_label: Sequence[Sequence[Row]]) -> str:
    """A corpus: five questions a line, two lines a document."""
    texts = [row[0] for row in chain(*by_label)]
    lines = ["。".join(texts[start : start + 5]) for start in range(0, len(texts), 5)]
    return "\n".join(f"{line}\n" if number % 2 else line for number, line in enumerate(lines)) + "\n"


def _long(by_label: Sequence[Sequence[Row]]) -> list[Row]:
    """Texts beyond 512 tokens, and shorter ones."""
    return [
        ("。".join(row[0] for row in rows[start : start + 40 + start]), rows[0][1])
        for rows in by_label
        for start in range(8)
    ]
