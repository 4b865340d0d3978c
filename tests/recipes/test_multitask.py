"""Runs over several tasks: learned together, told apart, gone on with after a kill, taken apart again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from bertsmith.data import Marks, Record
from bertsmith.errors import UserError
from bertsmith.recipes import (
    MultiTaskRecipe,
    MultiTaskResult,
    evaluate_bundle,
    finetune,
    finetune_recipe,
    load_bundle,
    load_tasks,
    make_splits,
    make_task_splits,
    multitask,
    multitask_recipe,
    rehearse_multitask,
    save_bundle,
    save_tasks,
    tasks_of,
)
from bertsmith.text.tags import Span
from bertsmith.training import Updated

from ..cli.test_tagging import made
from .test_run import records

CPU = torch.device("cpu")
FIXED = ["precision=float32", "budget.epochs=2", "batches.batch_size=8", "device=cpu", "snapshot_every=3"]
Data = dict[str, dict[str, list[Record]]]


class Killed(Exception):
    """Stands for a kill: nothing is saved."""


def recipe_for(shape: Path, tasks: Mapping[str, Any], *more: str) -> MultiTaskRecipe:
    return multitask_recipe(given={"start": {"encoder": str(shape)}, "tasks": tasks}, settings=[*FIXED, *more])


def mood(seed: int = 0) -> dict[str, list[Record]]:
    return {"train": records("train", 40, seed), "dev": records("dev", 16, seed + 1), "test": records("test", 16, 9)}


def marked(number: int, seed: int) -> list[Record]:
    rows = [(row["text"], tuple(Span(*span) for span in row["spans"])) for row in made(number, seed)]
    return [
        Record(text, None, tuple(sorted({span.type for span in spans})), {}, f"names[{place}]", Marks(spans))
        for place, (text, spans) in enumerate(rows)
    ]


def relabelled(rows: dict[str, list[Record]], label: Any, pair: bool = False) -> dict[str, list[Record]]:
    return {
        name: [Record(f"{r.text} x", "was it" if pair else None, label(r), where=r.where) for r in part]
        for name, part in rows.items()
    }


ALL = {
    "mood": {"task": "classification"},
    "names": {"task": "tagging", "criterion": {"kind": "crf"}, "head_lr": 0.02},
    "length": {"task": "regression", "document": {"kind": "chunks", "max_length": 8}},
    "same": {"task": {"kind": "pair", "symmetric": True}, "features": "pooler"},
    "words": {"task": "multilabel", "features": {"pooling": "tokens"}, "head": {"kind": "text_cnn", "filters": 4}},
}


def everything() -> Data:
    return {
        "mood": mood(),
        "names": {"train": marked(24, 0), "dev": marked(8, 1), "test": marked(8, 2)},
        "length": relabelled(mood(20), lambda r: float(len(r.text))),
        "same": relabelled(mood(30), lambda r: str("was" in r.text), pair=True),
        "words": relabelled(mood(40), lambda r: tuple(word for word in ("film", "was", "old") if word in r.text)),
    }


TWO = {"mood": {"task": "classification"}, "length": {"task": "regression", "head_lr": 0.01}}


def two() -> Data:
    return {name: part for name, part in everything().items() if name in TWO}


def run(recipe: MultiTaskRecipe, data: Data, **more: Any) -> MultiTaskResult:
    return multitask(recipe, make_task_splits(data, recipe), **more)


def weights(result: MultiTaskResult) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value
        for name, bundle in result.bundles.items()
        for key, value in bundle.model.state_dict().items()
    }


@pytest.fixture(scope="module")
def whole(one_layer: Path) -> MultiTaskResult:
    """All kinds of task at once."""
    return run(recipe_for(one_layer, ALL, "final.tasks=[mood]"), everything())


def test_one_task_is_the_run_of_that_task_byte_for_byte(one_layer: Path):
    several = run(recipe_for(one_layer, {"mood": {"task": "classification"}}), {"mood": mood()})
    recipe = finetune_recipe(given={"start": {"encoder": str(one_layer)}}, settings=[*FIXED, "ngrams=null"])
    alone = finetune(recipe, make_splits(mood(), recipe))
    own = alone.bundle.model.state_dict()
    assert all(torch.equal(several.bundles["mood"].model.state_dict()[name], tensor) for name, tensor in own.items())
    assert several.tasks["mood"].measured["test"].metrics == alone.measured["test"].metrics


def test_every_kind_of_task_is_measured_and_told(whole: MultiTaskResult):
    told = whole.summary()
    main = {"mood": "accuracy", "names": "f1", "length": "spearman", "same": "accuracy", "words": "micro_f1"}
    for split in ("dev", "test"):
        assert told[split].keys() == main.keys()
        assert told["mean"][split] == pytest.approx(sum(told[split][name][main[name]] for name in main) / 5)
    best = whole.training.best_metrics
    assert best["mean"] == pytest.approx(told["mean"]["dev"])
    assert best["names.f1"] == told["dev"]["names"]["f1"]
    assert told["updates_per_epoch"] == {"mood": 5, "names": 3, "length": 5, "same": 5, "words": 5}
    assert told["steps"] == 46
    assert told["train_texts"]["names"] == 24
    assert told["labels"]["length"] == []
    assert told["leaks"] == []
    assert sum("starts from random weights, with a vocabulary" in note for note in told["notes"]) == 1
    assert any(note.startswith("same: the checkpoint has no pooler") for note in told["notes"])
    assert json.dumps(told)


def test_the_encoder_is_shared_and_heads_have_their_rates(whole: MultiTaskResult):
    encoders = {id(bundle.model.encoder) for bundle in whole.bundles.values()}
    assert len(encoders) == 1
    names = {group.rate for group in whole.groups if any("tasks.names" in name for name in group.parameters)}
    assert names == {0.02, 0.01}, "head and CRF"


def test_a_task_goes_on_alone_from_the_shared_weights(whole: MultiTaskResult):
    (alone,) = whole.final.values()
    assert whole.summary()["final"]["mood"].keys() == {"dev", "test", "steps", "best_step"}
    assert alone.recipe.optimizer.lr == whole.recipe.optimizer.lr / 2
    assert alone.training.steps == 10
    own, shared = alone.bundle.model.state_dict(), whole.bundles["mood"].model.state_dict()
    assert not torch.equal(own["encoder.embeddings.token.weight"], shared["encoder.embeddings.token.weight"])


def test_one_folder_and_each_task_taken_out_of_it_gives_the_same_answers(whole: MultiTaskResult, tmp_path: Path):
    save_tasks(whole.bundles, tmp_path / "all")
    assert set(tasks_of(tmp_path / "all")) == set(ALL)
    stored = load_file(tmp_path / "all" / "model.safetensors")
    assert sum("word_embeddings" in name for name in stored) == 1
    back = load_tasks(tmp_path / "all")
    assert len({id(bundle.model.encoder) for bundle in back.values()}) == 1
    for name, result in whole.tasks.items():
        save_bundle(load_bundle(tmp_path / "all", task=name), tmp_path / name)
        single, rows = load_bundle(tmp_path / name), result.splits.test
        measured, _ = evaluate_bundle(single, rows, device=CPU, seed=0)
        assert list(measured.lines()) == list(result.measured["test"].lines())
        again, _ = evaluate_bundle(back[name], rows, device=CPU, seed=0)
        assert again.metrics == measured.metrics
    encoder = AutoModel.from_pretrained(tmp_path / "all")
    found = encoder.get_input_embeddings().weight
    assert torch.equal(found, whole.bundles["mood"].model.encoder.embeddings.token.weight)


def test_a_folder_of_several_tasks_wants_a_name(whole: MultiTaskResult, one_layer: Path, tmp_path: Path):
    save_tasks(whole.bundles, tmp_path / "all")
    with pytest.raises(UserError, match=r"holds the tasks .*mood.*; name one") as caught:
        load_bundle(tmp_path / "all")
    assert caught.value.code == "several_tasks"
    with pytest.raises(UserError, match="there is no 'mod'"):
        load_bundle(tmp_path / "all", task="mod")
    save_bundle(whole.bundles["mood"], tmp_path / "one")
    with pytest.raises(UserError, match="holds a single task"):
        load_bundle(tmp_path / "one", task="mood")
    with pytest.raises(UserError, match="holds a single task"):
        load_tasks(tmp_path / "one")
    path = tmp_path / "all" / "config.json"
    raw = json.loads(path.read_text())
    raw["bertsmith"]["tasks"]["moods"] = raw["bertsmith"]["tasks"].pop("mood")
    path.write_text(json.dumps(raw))
    with pytest.raises(UserError, match="the folder is damaged"):
        load_tasks(tmp_path / "all")


RESUMED = (
    *("budget.epochs=1", "sampling.kind=temperature", "final.epochs=1"),
    *("averaging.kind=ema", "averaging.decay=0.5", "tasks.mood.r_drop.alpha=1"),
)


@pytest.fixture(scope="module")
def undisturbed(one_layer: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[MultiTaskResult, Path]:
    """A run of three stages, and its folder."""
    out = tmp_path_factory.mktemp("undisturbed")
    return run(recipe_for(one_layer, TWO, *RESUMED), two(), out=out), out


@pytest.mark.parametrize(("updates", "step"), [(8, 8), (19, 4)], ids=["all tasks", "one alone"])
def test_killed_and_resumed_it_ends_with_the_same_bits(
    one_layer: Path, tmp_path: Path, undisturbed: tuple[MultiTaskResult, Path], updates: int, step: int
):
    recipe = recipe_for(one_layer, TWO, *RESUMED)
    steps: list[int] = []

    def watch(event: object) -> None:
        if isinstance(event, Updated):
            steps.append(event.step)
            if len(steps) == updates:
                raise Killed

    with pytest.raises(Killed):
        run(recipe, two(), out=tmp_path, listeners=(watch,))
    assert steps[-1] == step
    steps[:] = [0] * updates
    again = run(recipe, two(), out=tmp_path, resume=True, listeners=(watch,))
    assert steps[updates] == (step - 1) // 3 * 3 + 1
    whole, out = undisturbed
    assert_same(weights(again), weights(whole))
    for name, alone in whole.final.items():
        assert_same(again.final[name].bundle.model.state_dict(), alone.bundle.model.state_dict())
    logs = [sorted(path.name for path in folder.glob("log_*")) for folder in (tmp_path, out)]
    assert logs[0] == logs[1] == ["log_final_length.jsonl", "log_final_mood.jsonl"]


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name, tensor in one.items() if not torch.equal(tensor, other[name])] == []


# Leaks.


def leaking() -> Data:
    data = two()
    leaked = [Record(f" {r.text} ", None, 1.0, where=f"leak[{n}]") for n, r in enumerate(data["mood"]["test"][:3])]
    data["length"]["train"] += [*leaked, Record(data["mood"]["dev"][0].text, None, 2.0, where="leak[3]")]
    return data


def test_texts_that_another_task_is_measured_by_are_not_learned(one_layer: Path):
    result = run(recipe_for(one_layer, TWO, "budget.max_steps=1"), leaking())
    assert result.summary()["train_texts"] == {"mood": 40, "length": 40}
    told = result.summary()["leaks"]
    assert {(leak["task"], leak["other"], leak["split"], leak["rows"]) for leak in told} == {
        ("length", "mood", "test", 3),
        ("length", "mood", "dev", 1),
    }
    assert any("so 4 rows were left out of training (leaks=drop)" in note for note in result.notes)


def test_leaks_may_be_refused_or_kept(one_layer: Path):
    with pytest.raises(UserError, match=r"3 training rows of length in the test part of mood.*leak\[3\]") as caught:
        make_task_splits(leaking(), recipe_for(one_layer, TWO, "leaks=refuse"))
    assert caught.value.code == "task_leak"
    kept = make_task_splits(leaking(), recipe_for(one_layer, TWO, "leaks=keep"))
    assert len(kept.tasks["length"].train.records) == 44
    assert "figures of these parts are too good" in kept.notes[0]
    data = two()
    data["length"]["train"] = [Record(r.text, None, float(n)) for n, r in enumerate(data["mood"]["test"])]
    with pytest.raises(UserError, match="every training text of length"):
        make_task_splits(data, recipe_for(one_layer, TWO))


# The recipe.


def test_the_recipe_written_is_the_recipe_read(one_layer: Path):
    recipe = recipe_for(one_layer, ALL, "sampling.kind=temperature", "final.lr=1e-6")
    assert MultiTaskRecipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert recipe.selection.metric == "mean"
    assert recipe.tasks["words"].metric == "micro_f1"
    assert recipe.tasks["mood"].features.pooling == "mean"
    assert recipe.tasks["names"].features.pooling == "tokens"
    assert recipe.optimizer.lr == 1e-3
    assert recipe.single("names").optimizer.head_lr == 0.02
    assert recipe.single("names").selection.metric == "f1"
    last = recipe.last("names")
    assert (last.optimizer.lr, last.optimizer.head_lr) == (1e-6, pytest.approx(0.02 * 1e-3))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["tasks.mood.criterion.kind=crf"], "criterion crf does not fit task classification"),
        (["tasks.length.calibrate=true"], "calibrate needs one label a text"),
        (["sampling.kind=fixed", "sampling.by_task={mood: 1}"], "must name each task once: mood, length"),
        (["final.tasks=[moods]"], "final.tasks names 'moods'"),
        (["tasks.a b.task=pair"], "tasks.a b"),
    ],
)
def test_settings_that_do_not_fit(one_layer: Path, settings: list[str], said: str):
    with pytest.raises(UserError, match=said):
        recipe_for(one_layer, TWO, *settings)


def test_the_crf_of_a_task_learns_at_its_own_rate_together_and_alone():
    given = {"start": {"encoder": "tiny"}, "tasks": {"mood": ALL["mood"], "names": ALL["names"]}, "final": {}}
    recipe = multitask_recipe(given=given)
    assert recipe.optimizer.rates == {r"tasks\.names\.criterion.*": 1e-2}
    assert recipe.single("names").optimizer.rates == {"criterion.*": 1e-2}
    assert recipe.last("names").optimizer.rates == {"criterion.*": 5e-3}
    assert recipe.single("mood").optimizer.rates == {}
    assert multitask_recipe(given=given, settings=["optimizer.rates={}"]).optimizer.rates == {}


def test_the_metric_to_choose_by_must_be_measured(one_layer: Path):
    for setting in ("selection.metric=mood.f1", "tasks.length.metric=accuracy"):
        with pytest.raises(UserError, match=r"selection\.metric is '(mood\.f1|accuracy)', but the evaluation gives"):
            run(recipe_for(one_layer, TWO, setting), two())


def test_a_rehearsal_tells_rows_and_groups(one_layer: Path):
    recipe = recipe_for(one_layer, TWO)
    found = rehearse_multitask(recipe, make_task_splits(two(), recipe))
    assert found.rows["length dev"] == 16
    assert {group.rate for group in found.groups} == {0.01, 1e-3}
