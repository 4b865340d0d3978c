"""Four Chinese tasks on which an encoder shows its worth, and a linear SVM on characters beside it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bertsmith.data import Columns, Record, read_records, stratified_split
from fresh import in_fresh_process

Splits = dict[str, list[Record]]


@dataclass(frozen=True)
class Task:
    """A labelled set, how long its texts are and how often they are read. Only the last two differ between tasks."""

    name: str
    read: Callable[[Path], Splits]
    metrics: tuple[str, ...]
    max_length: int
    epochs: int
    kind: str = "classification"
    train_texts: int | None = None


@dataclass(frozen=True)
class Trial:
    """One fine-tuning: an encoder on a task with a seed."""

    encoder: str
    task: str
    seed: int
    settings: tuple[str, ...] = ()
    brief: bool = False


@dataclass(frozen=True)
class Score:
    """What came of it: metrics in percent, of the encoder alone and with n-grams if there are, and seconds."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    with_ngrams: Mapping[str, float] = field(default_factory=dict)


RECIPE: dict[str, Any] = {
    "features": {"pooling": "mean"},
    "optimizer": {"lr": 3e-4, "head_lr": 1e-3, "schedule": {"kind": "linear", "warmup": 0.1}},
    "batches": {"batch_size": 32},
    "selection": {"keep": "best"},
    "device": "cpu",
    "threads": 1,
}
"""The one recipe for all tasks."""

FOR_PAIRS: dict[str, Any] = {
    "task": {"kind": "pair", "symmetric": True},
    "criterion": {"kind": "cross_entropy", "class_weights": "balanced"},
}
"""What pairs have beside it: questions match either way, and most do not. The SVM weighs labels the same way."""


def _files(folder: str, columns: str, *, pairs: str = "ignored", **names: str) -> Callable[[Path], Splits]:
    def read(data: Path) -> Splits:
        return {
            split: list(read_records(data / folder / name, Columns.parse(columns), pairs=pairs))  # type: ignore[arg-type]
            for split, name in names.items()
        }

    return read


def _hotel(data: Path) -> Splits:
    """The set has no splits: one text in five is for testing, seeded; the one empty review is left out."""
    path = data / "classification/zh_chnsenticorp_hotel/all.jsonl.gz"
    records = list(read_records(path, Columns.parse("text=text,label=label"), pairs="ignored", on_error=lambda _: None))
    rows = stratified_split([str(record.label) for record in records], share=0.2, seed=0)
    return {name: [records[row] for row in part] for name, part in zip(("train", "test"), rows, strict=True)}


THUCNEWS = Task(
    "THUCNews titles",
    _files(
        "classification/zh_thucnews_title",
        "text=text,label=label",
        train="train_45k.tsv.gz",
        dev="dev.tsv",
        test="test.tsv",
    ),
    metrics=("accuracy",),
    max_length=48,
    epochs=3,
)
HOTEL = Task("hotel reviews", _hotel, metrics=("accuracy",), max_length=256, epochs=4)
TNEWS = Task(
    "TNEWS few-shot",
    _files(
        "classification/zh_tnews_fewclue",
        "text=sentence,label=label_desc",
        train="train_few_all.jsonl",
        dev="dev_few_all.jsonl",
        test="test_public.jsonl",
    ),
    metrics=("accuracy",),
    max_length=64,
    epochs=12,
)
AFQMC = Task(
    "AFQMC dev",
    _files(
        "matching/zh_afqmc",
        "text=sentence1,text_pair=sentence2,label=label",
        pairs="required",
        train="train.tsv.gz",
        test="dev.tsv",
    ),
    metrics=("auc", "macro_f1"),
    max_length=96,
    epochs=3,
    kind="pair",
)
TASKS = {"thucnews": THUCNEWS, "hotel": HOTEL, "tnews": TNEWS, "afqmc": AFQMC}
BRIEF = {
    "hotel": replace(HOTEL, max_length=64, epochs=4, train_texts=3_000),
    "tnews": TNEWS,
    "afqmc": replace(AFQMC, epochs=3, train_texts=8_000),
}
"""Cheaper forms, for many trials: three tasks, shorter texts, fewer of them."""


def run(trial: Trial, data: Path) -> Score:
    """Fine-tune in a process of its own."""
    return in_fresh_process(_fine_tuned, trial, data)


def task_of(trial: Trial) -> Task:
    """The task of a trial, in its brief form if that is asked for."""
    return (BRIEF if trial.brief else TASKS)[trial.task]


def splits_of(task: Task, data: Path) -> Splits:
    """The rows of a task; a seeded part of train where the task takes only some."""
    splits = task.read(data)
    if task.train_texts is not None:
        rows = np.sort(np.random.default_rng(0).permutation(len(splits["train"]))[: task.train_texts])
        splits["train"] = [splits["train"][row] for row in rows]
    return splits


def _fine_tuned(trial: Trial, data: Path) -> Score:
    import torch

    from bertsmith.recipes import finetune, finetune_recipe, make_splits

    torch.set_num_threads(1)
    task = task_of(trial)
    given = RECIPE | {
        **(FOR_PAIRS if task.kind == "pair" and not trial.brief else {"task": task.kind}),
        "start": {"model": trial.encoder},
        "document": {"max_length": task.max_length},
        "budget": {"epochs": task.epochs},
        "selection": {"keep": "best", "metric": task.metrics[0]},
        "seed": trial.seed,
    }
    recipe = finetune_recipe(given=given, settings=trial.settings)
    result = finetune(recipe, make_splits(splits_of(task, data), recipe))
    if result.joined is None or not result.joined.metrics:
        return Score(_percent(task, result.measured["test"].metrics), round(result.seconds, 1))
    test = result.joined.metrics["test"]
    return Score(_percent(task, test["encoder"]), round(result.seconds, 1), _percent(task, test["both"]))


def _percent(task: Task, metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(100 * float(metrics[name]), 2) for name in task.metrics}


def linear_svm(task: Task, data: Path) -> Score:
    """A linear SVM on TF-IDF of characters, one to three in a row; of a pair, what both have and where they differ.

    As for the n-grams of bertsmith, runs that only one text has count where texts are few; pairs are trusted less,
    which serves it best (LOG.md).
    """
    import time

    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    from bertsmith.finetuning import Ngrams
    from bertsmith.metrics import classification_metrics

    began = time.perf_counter()
    splits = splits_of(task, data)
    labels = sorted({str(record.label) for record in splits["train"]})
    least = Ngrams().least(len(splits["train"]))
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=least)
    grams.fit(text for record in splits["train"] for text in _texts(record))
    model = LinearSVC(C=0.1 if task.kind == "pair" else 1.0, class_weight="balanced" if task.kind == "pair" else None)
    model.fit(_features(splits["train"], grams), [labels.index(str(record.label)) for record in splits["train"]])
    margins = model.decision_function(_features(splits["test"], grams))
    truth = np.array([labels.index(str(record.label)) for record in splits["test"]])
    probabilities = np.stack([-margins, margins], 1) if margins.ndim == 1 else margins
    metrics = classification_metrics(truth, probabilities.argmax(1), labels=labels, probabilities=probabilities)
    return Score(_percent(task, metrics), round(time.perf_counter() - began, 1))


def _texts(record: Record) -> Sequence[str]:
    return (record.text,) if record.text_pair is None else (record.text, record.text_pair)


def _features(records: Sequence[Record], grams: Any) -> Any:
    from scipy.sparse import hstack

    first = grams.transform(record.text for record in records)
    if records[0].text_pair is None:
        return first
    second = grams.transform(record.text_pair for record in records)
    return hstack([first.minimum(second), abs(first - second)])


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of the 95 % interval of the mean by Student's t. It covers these seeds only."""
    from scipy.stats import t

    found = np.asarray(values)
    if len(found) < 2:
        return float(found.mean()), float("nan")
    return float(found.mean()), float(t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found)))


class Notebook:
    """Scores in a JSON-lines file, so that a broken run goes on where it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def find(self, **key: Any) -> dict[str, Any] | None:
        """The row with these values."""
        return next((row for row in self.rows if all(row.get(name) == value for name, value in key.items())), None)

    def add(self, row: dict[str, Any]) -> None:
        """Write a row at once."""
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
