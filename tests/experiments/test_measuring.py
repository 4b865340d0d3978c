"""The runs of every kind of task on dev, measured so that they can be compared; and which did not converge."""

import json

import numpy as np
import pytest

from bertsmith.data import Marks, Record
from bertsmith.experiments import Said
from bertsmith.experiments.measuring import Bench, loss_fell
from bertsmith.finetuning import Outputs
from bertsmith.recipes import finetune_recipe, make_splits
from bertsmith.text.tags import Span

ROWS = 30
TEXT = "one two three four five six"


def labelled(kind: str) -> list[Record]:
    rng = np.random.default_rng(0)
    records = []
    for row in range(ROWS):
        which, where = row % 3, f"row {row}"
        if kind == "classification":
            records.append(Record(f"{TEXT} {row}", label="abc"[which], where=where))
        elif kind == "pair":
            records.append(Record(f"{TEXT} {row}", "other", label="ab"[which % 2], where=where))
        elif kind == "multilabel":
            records.append(Record(f"{TEXT} {row}", label=("abc"[which], "d"), where=where))
        elif kind == "regression":
            records.append(Record(f"{TEXT} {row}", label=float(rng.normal()), where=where))
        else:
            spans = (Span(4 * which, 4 * which + 3, "X"),)
            records.append(Record(TEXT, label=("X",), where=where, marks=Marks(spans)))
    return records


def bench(kind: str, metric: str) -> Bench:
    recipe = finetune_recipe(given={"task": kind, "start": {"encoder": "tiny"}})
    return Bench(make_splits({"train": labelled(kind), "dev": labelled(kind)}, recipe), metric)


KINDS = [
    *(("classification", "accuracy"), ("classification", "macro_f1"), ("pair", "auc"), ("multilabel", "micro_f1")),
    *(("regression", "spearman"), ("tagging", "f1")),
]


@pytest.mark.parametrize(("kind", "metric"), KINDS)
def test_runs_of_every_kind(kind, metric):
    made = bench(kind, metric)
    answers = made.splits.answers
    truth = answers.targets(made.splits.dev.records)
    right = answers.perfect(truth)
    mixed = np.where(np.arange(len(right.values))[:, None] % 4 == 0, np.roll(right.values, 1, axis=0), right.values)
    best = None if right.counts is None else mixed.argmax(1)
    worse = Outputs(mixed, right.counts, best)
    runs = made.runs([Said(answers, right), Said(answers, worse)])
    assert runs.values == pytest.approx([answers.metrics(each, truth)[metric] for each in (right, worse)])
    assert runs.draws.shape == (2, 1000)
    assert runs.values[1] < runs.values[0] == pytest.approx(1.0)
    assert np.nanstd(runs.draws[1]) > 0


@pytest.mark.parametrize(("kind", "metric"), KINDS)
def test_the_same_answer_for_every_text_has_not_converged(kind, metric, tmp_path):
    made = bench(kind, metric)
    answers = made.splits.answers
    truth = answers.targets(made.splits.dev.records)
    right = answers.perfect(truth)
    values = np.tile(right.values.mean(0), (len(right.values), 1))
    same = Outputs(values, right.counts, None if right.counts is None else values.argmax(1))
    flat, falling = write_log(tmp_path / "flat", [1.0] * 20), write_log(tmp_path / "falling", range(20, 0, -1))
    said = [Said(answers, same), Said(answers, same), Said(answers, right)]
    assert made.stuck(said, made.runs(said), [flat, falling, flat]) == 1


def write_log(path, losses):
    lines = [{"step": 1, "epoch": 0.1, "loss": loss, "lr": 1e-5} for loss in losses]
    path.write_text("\n".join(map(json.dumps, [*lines, {"step": 1, "dev": {"loss": 9.0}}])))
    return path


def test_a_loss_that_falls(tmp_path):
    assert loss_fell(write_log(tmp_path / "a", [0.7] * 10 + [0.6] * 10))
    assert not loss_fell(write_log(tmp_path / "b", [0.7] * 10 + [0.65] * 10))
    assert not loss_fell(write_log(tmp_path / "c", [0.7, 0.2, 0.2, 0.2, 4.0]))
    assert loss_fell(tmp_path / "none")
