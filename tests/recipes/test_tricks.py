"""Every trick through a recipe: it runs, is told, and goes on to the same bits after a kill."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bertsmith.errors import UserError
from bertsmith.finetuning import Outputs, Targets
from bertsmith.metrics import calibration
from bertsmith.recipes import (
    FinetuneRecipe,
    FinetuneResult,
    evaluate_bundle,
    finetune,
    finetune_recipe,
    load_bundle,
    make_splits,
    rehearse,
    save_bundle,
)
from bertsmith.recipes.tricks import calibrated
from bertsmith.training import Updated

from ..tiny import rows, write_table
from .test_run import recipe_for, records

CPU = torch.device("cpu")
TRICKS = {
    "decay": ["optimizer.layer_decay=0.9"],
    "rates by name": ['optimizer.rates={"head.*": 0.01}'],
    "frozen embeddings": ["freeze.kind=bottom"],
    "gradual": ["freeze.kind=gradual", "budget.epochs=3"],
    "ema": ["averaging.kind=ema", "averaging.decay=0.9"],
    "swa": ["averaging.kind=swa", "averaging.start=0.5"],
    "fgm": ["adversarial.kind=fgm"],
    "pgd": ["adversarial.kind=pgd", "adversarial.steps=2"],
    "r-drop": ["r_drop.alpha=1"],
    "focal": ["criterion.kind=focal", "criterion.class_weights=effective"],
    "all at once": ["freeze.kind=gradual", "averaging.kind=ema", "adversarial.kind=fgm", "r_drop.alpha=1"],
}


class Killed(Exception):
    """Stands for a kill: nothing is saved."""


def run(recipe: FinetuneRecipe, **more: Any) -> FinetuneResult:
    made = {"train": records("train", 40), "dev": records("dev", 16, 1), "test": records("test", 16, 2)}
    return finetune(recipe, make_splits(made, recipe), **more)


def weights(result: FinetuneResult) -> dict[str, torch.Tensor]:
    return result.bundle.model.state_dict()


@pytest.fixture(scope="module")
def teacher(one_layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher") / "model"
    save_bundle(run(recipe_for(one_layer, "budget.epochs=12", "optimizer.lr=0.01")).bundle, folder)
    return folder


@pytest.mark.parametrize("name", TRICKS)
def test_killed_and_resumed_it_ends_with_the_same_bits(name: str, one_layer: Path, tmp_path: Path):
    recipe = recipe_for(one_layer, "budget.epochs=2", "snapshot_every=3", *TRICKS[name])

    def kill(event: object) -> None:
        if isinstance(event, Updated) and event.step == 7:
            raise Killed

    whole = run(recipe, out=tmp_path / "whole")
    with pytest.raises(Killed):
        run(recipe, out=tmp_path / "broken", listeners=(kill,))
    again = run(recipe, out=tmp_path / "broken", resume=True)
    assert all(torch.equal(weights(again)[key], tensor) for key, tensor in weights(whole).items())
    assert again.measured["test"].metrics == whole.measured["test"].metrics
    without = run(recipe_for(one_layer, "budget.epochs=2", "snapshot_every=3"))
    assert not torch.equal(weights(without)["head.linear.weight"], weights(whole)["head.linear.weight"])


def test_the_groups_tell_what_is_frozen_and_the_notes_what_never_learns(one_layer: Path):
    splits_of = {"train": records("train", 24), "dev": records("dev", 8, 1)}
    recipe = recipe_for(one_layer, "freeze.kind=bottom", "freeze.layers=all")
    found = rehearse(recipe, make_splits(splits_of, recipe))
    assert {group.name for group in found.groups} == {"head", "layer 1 (frozen)", "embeddings (frozen)"}
    assert any(note.startswith("frozen: ") and note.endswith("weights do not learn") for note in found.notes)
    recipe = recipe_for(one_layer, "freeze.kind=gradual", "budget.epochs=2")
    notes = rehearse(recipe, make_splits(splits_of, recipe)).notes
    assert any("ends after 2 epochs, before embeddings may learn" in note for note in notes)


def test_r_drop_without_dropout_is_told(one_layer: Path):
    result = run(recipe_for(one_layer, "r_drop.alpha=1", "start.dropout=0", "budget.max_steps=1"))
    assert any("r_drop: the encoder has no dropout" in note for note in result.notes)


# A part of a checkpoint.


def test_the_first_layers_and_new_ones_on_top(one_layer: Path, tmp_path: Path):
    config = json.loads(one_layer.read_text()) | {"num_layers": 3}
    (tmp_path / "three.json").write_text(json.dumps(config))
    save_bundle(run(recipe_for(tmp_path / "three.json", "budget.max_steps=1")).bundle, tmp_path / "model")
    settings = ["precision=float32", "batches.batch_size=8", "budget.max_steps=1", "device=cpu"]
    parts = ["start.layers=2", "start.reinit_top=1", "features.pooling=pooler"]
    recipe = finetune_recipe(given={"start": {"model": str(tmp_path / "model")}}, settings=[*settings, *parts])
    result = run(recipe)
    assert result.bundle.model.encoder.config.num_layers == 2
    assert any("only the first 2 of 3 layers are used" in note for note in result.notes)
    assert any("layer 2 and the pooler start from random weights again, seed 0" in note for note in result.notes)
    stacked = run(recipe.but(start=recipe.start.but(stack=2)))
    assert stacked.bundle.model.encoder.config.num_layers == 4
    assert any("2 layers stand 2 times on each other, 4 in all" in note for note in stacked.notes)
    with pytest.raises(UserError, match="the first 4 layers are asked for, but this encoder has 3"):
        run(recipe.but(start=recipe.start.but(layers=4)))


@pytest.mark.parametrize("field", ["layers", "stack", "reinit_top"])
def test_a_shape_cannot_be_taken_apart(field: str):
    with pytest.raises(UserError, match="a shape says its layers itself"):
        finetune_recipe(given={"start": {"encoder": "tiny", field: 2}})


def test_a_checkpoint_brings_its_own_positions():
    with pytest.raises(UserError, match="a checkpoint \\(model\\) brings its own"):
        finetune_recipe(given={"start": {"model": "x", "positions": "sinusoidal"}})


# A teacher.


def test_a_student_learns_from_its_teacher_and_is_resumed(one_layer: Path, teacher: Path, tmp_path: Path):
    recipe = recipe_for(
        one_layer, f"distill.teacher={teacher}", "distill.weight=0.9", "budget.epochs=4", "snapshot_every=3"
    )
    losses: list[dict[str, float]] = []

    def listen(event: object) -> None:
        if isinstance(event, Updated):
            losses.append(event.losses)
            if event.step == 8 and len(losses) == 8:
                raise Killed

    with pytest.raises(Killed):
        run(recipe, out=tmp_path / "broken", listeners=(listen,))
    again = run(recipe, out=tmp_path / "broken", resume=True)
    whole = run(recipe)
    assert all(torch.equal(weights(again)[key], tensor) for key, tensor in weights(whole).items())
    assert set(losses[0]) == {"loss", "teacher"}


def test_texts_without_labels_are_taught_by_the_teacher_alone(one_layer: Path, teacher: Path, tmp_path: Path):
    more = write_table(tmp_path / "more.csv", [(text, "not looked at") for text, _ in rows(40, seed=9)])
    fixed = ["distill.weight=0.5", "budget.epochs=15", "optimizer.lr=0.01", f"distill.teacher={teacher}"]
    few = {"train": records("train", 4), "dev": records("dev", 16, 1), "test": records("test", 40, 2)}
    found = {}
    for name, settings in {"with": [f"distill.texts={more}"], "without": []}.items():
        recipe = recipe_for(one_layer, *fixed, *settings)
        result = finetune(recipe, make_splits(few, recipe))
        found[name] = result.measured["test"].metrics["accuracy"]
        assert result.training.steps == (15 * 6 if settings else 15)
        assert result.summary()["train_texts"] == 4
        assert any("its texts join the training texts" in note for note in result.notes) == bool(settings)
    assert found["with"] > found["without"]


def test_texts_without_labels_need_one_label_a_text(one_layer: Path, tmp_path: Path):
    recipe = recipe_for(one_layer, "task=multilabel")
    made = {
        name: [replace(record, label=(str(record.label),)) for record in records(name, 16)] for name in ("train", "dev")
    }
    save_bundle(finetune(recipe, make_splits(made, recipe)).bundle, tmp_path / "teacher")
    recipe = recipe.but(distill={"teacher": str(tmp_path / "teacher"), "texts": "any.csv"})
    with pytest.raises(UserError, match="needs one label a text; task multilabel"):
        finetune(recipe, make_splits(made, recipe))
    learned = finetune(recipe.but(distill={"teacher": str(tmp_path / "teacher")}, r_drop={}), make_splits(made, recipe))
    assert learned.training.steps


def test_another_teacher_makes_another_run(one_layer: Path, teacher: Path, tmp_path: Path):
    shutil.copytree(teacher, tmp_path / "teacher")
    recipe = recipe_for(one_layer, f"distill.teacher={tmp_path / 'teacher'}", "snapshot_every=2")

    def kill(event: object) -> None:
        if isinstance(event, Updated) and event.step == 3:
            raise Killed

    with pytest.raises(Killed):
        run(recipe, out=tmp_path / "run", listeners=(kill,))
    save_bundle(run(recipe_for(one_layer)).bundle, tmp_path / "teacher")
    with pytest.raises(UserError) as caught:
        run(recipe, out=tmp_path / "run", resume=True)
    assert caught.value.code == "other_run"


def test_a_teacher_of_other_labels_is_refused_before_anything_is_written(
    one_layer: Path,
    teacher: Path,
    tmp_path: Path,
):
    recipe = recipe_for(one_layer, f"distill.teacher={teacher}")
    made = {
        name: [replace(record, label=f"{record.label}!") for record in records(name, 16)] for name in ("train", "dev")
    }
    with pytest.raises(UserError, match="does not know the label 'neg!'") as caught:
        finetune(recipe, make_splits(made, recipe), out=tmp_path / "out")
    assert caught.value.code == "teacher_mismatch"
    assert not (tmp_path / "out").exists()


def test_a_teacher_that_reads_pairs_is_refused(one_layer: Path, teacher: Path):
    recipe = recipe_for(one_layer, "task=pair", f"distill.teacher={teacher}")
    made = {name: [replace(record, text_pair="b") for record in records(name, 16)] for name in ("train", "dev")}
    with pytest.raises(UserError, match="does the task classification"):
        finetune(recipe, make_splits(made, recipe))


# Calibration.


def test_the_temperature_is_kept_and_used_everywhere(one_layer: Path, tmp_path: Path):
    settings = ["budget.epochs=1", "optimizer.lr=0.004", "ngrams=null"]
    plain, result = (run(recipe_for(one_layer, *settings, *more)) for more in ([], ["calibrate=true"]))
    found = result.calibrated
    assert found is not None
    assert result.bundle.model.task.temperature == found.temperature != 1.0
    for name, measured in result.measured.items():
        before, after = plain.measured[name].outputs.values, measured.outputs.values
        assert (before.argmax(1) == after.argmax(1)).all()
        expected = np.exp(np.log(before) / found.temperature)
        np.testing.assert_allclose(after, expected / expected.sum(1, keepdims=True), atol=1e-5)
        errors = [calibration(each.max(1), each.argmax(1) == measured.truth.values).error for each in (before, after)]
        assert found.errors[name] == pytest.approx(errors, abs=1e-6)
        assert measured.metrics["accuracy"] == plain.measured[name].metrics["accuracy"]
    assert result.summary()["calibration"]["temperature"] == found.temperature
    assert any(note.startswith("calibrated on dev: temperature") for note in result.notes)
    save_bundle(result.bundle, tmp_path / "model")
    loaded = load_bundle(tmp_path / "model")
    again, _ = evaluate_bundle(loaded, result.splits.test, device=CPU, seed=0)
    assert (again.outputs.values == result.measured["test"].outputs.values).all()


@pytest.mark.parametrize(("labels", "why"), [([0, 1], "every text of dev is answered right"), ([1, 0], "outside 1/20")])
def test_dev_that_names_no_temperature_changes_no_confidence(labels, why):
    said, truth = {"dev": Outputs(np.array([[0.6, 0.4], [0.3, 0.7]]))}, {"dev": Targets(np.array(labels))}
    found = calibrated(said, truth)
    before, after = found.errors["dev"]
    assert found.temperature == 1.0
    assert before == pytest.approx(after)
    assert why in found.summary()["why"]
    assert str(found).startswith("not calibrated: ")


def test_only_one_label_a_text_can_be_calibrated():
    with pytest.raises(UserError, match="calibrate needs one label a text; task multilabel"):
        finetune_recipe(given={"task": "multilabel", "start": {"encoder": "tiny"}, "calibrate": True})


# A warm start.


WARM = ("warm_start.epochs=4", "warm_start.batch_size=8", "warm_start.lr=0.003", "snapshot_every=3")


@pytest.mark.parametrize("updates", [7, 27], ids=["in the warm start", "after it"])
def test_a_warm_start_is_told_and_resumed_with_the_same_bits(updates: int, one_layer: Path, tmp_path: Path):
    recipe = recipe_for(one_layer, "budget.epochs=2", *WARM)
    steps: list[int] = []

    def watch(event: object) -> None:
        if isinstance(event, Updated):
            steps.append(event.step)
            if len(steps) == updates:
                raise Killed

    whole = run(recipe, out=tmp_path / "whole")
    assert whole.summary()["warm_start"]["steps"] == 20
    assert any("warm start (supervised_contrast): 4 epochs over 40 texts of 2 labels" in note for note in whole.notes)
    with pytest.raises(Killed):
        run(recipe, out=tmp_path / "broken", listeners=(watch,))
    steps[:] = [0] * updates
    again = run(recipe, out=tmp_path / "broken", resume=True, listeners=(watch,))
    assert steps[updates] == 7
    assert all(torch.equal(weights(again)[key], tensor) for key, tensor in weights(whole).items())
    assert (tmp_path / "broken" / "log_warm_start.jsonl").exists()
    cold = run(recipe.but(warm_start=None))
    assert "warm_start" not in cold.summary()
    assert not torch.equal(weights(cold)["head.linear.weight"], weights(whole)["head.linear.weight"])


def test_a_warm_start_needs_one_label_and_one_vector_a_text(one_layer: Path):
    for task in ("multilabel", "regression", "tagging"):
        with pytest.raises(UserError, match=f"warm_start needs one label and one vector a text, which task {task}"):
            recipe_for(one_layer, f"task.kind={task}", *WARM)
    with pytest.raises(UserError, match="which head text_cnn does not have"):
        recipe_for(one_layer, "head.kind=text_cnn", "features.pooling=tokens", *WARM)
    notes = rehearse_notes(recipe_for(one_layer, *WARM, "warm_start.loss.kind=class_cosine"))
    assert any("warm start (class_cosine)" in note and "1 of the labels have one text" in note for note in notes)


def rehearse_notes(recipe: FinetuneRecipe) -> tuple[str, ...]:
    rare = replace(records("train", 1, 9)[0], label="rare")
    made = {"train": [*records("train", 40), rare], "dev": records("dev", 16, 1)}
    return rehearse(recipe, make_splits(made, recipe)).notes
