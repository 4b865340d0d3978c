"""Runs without the command line: rows in, a measured model out; folders made ready and finished."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.recipes import (
    FinetuneRecipe,
    evaluate_bundle,
    finetune,
    finetune_recipe,
    is_complete,
    load_bundle,
    make_splits,
    require_run,
    save_bundle,
)
from bertsmith.recipes.folder import LEAVES, finish_folder, holding_folder, prepare_folder

from ..tiny import SHAPE, rows

CPU = torch.device("cpu")


def records(name: str, number: int, seed: int = 0) -> list[Record]:
    return [
        Record(text, None, label, where=f"{name}[{place}]") for place, (text, label) in enumerate(rows(number, seed))
    ]


@pytest.fixture(scope="module")
def shape(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return path


def recipe_for(shape: Path, *settings: str) -> FinetuneRecipe:
    fixed = ["precision=float32", "budget.epochs=1", "batches.batch_size=8", "device=cpu"]
    return finetune_recipe(given={"start": {"encoder": str(shape)}}, settings=[*fixed, *settings])


def test_run_learns_what_can_be_learned_and_says_what_it_did(shape):
    recipe = recipe_for(shape, "budget.epochs=12", "optimizer.lr=0.01")
    splits = make_splits(
        {"train": records("train", 40), "dev": records("dev", 12, 1), "test": records("test", 16, 2)}, recipe
    )
    result = finetune(recipe, splits)
    assert result.measured["test"].metrics["accuracy"] == 1.0
    assert set(result.prepared) == {"train", "dev", "test"}
    assert result.training.steps == 60
    summary = result.summary()
    assert summary["dev"] == dict(result.measured["dev"].metrics)
    assert summary["labels"] == ["neg", "pos"]
    assert any("random weights" in note for note in summary["notes"])
    lines = list(result.measured["test"].lines())
    assert [line["prediction"] for line in lines] == [line["label"] for line in lines]


def test_best_weights_are_kept(shape):
    recipe = recipe_for(shape, "budget.epochs=5", "optimizer.lr=0.01", "selection.every=1")
    splits = make_splits({"train": records("train", 40), "dev": records("dev", 12, 1)}, recipe)
    result = finetune(recipe, splits)
    assert result.training.best_metrics["accuracy"] == result.measured["dev"].metrics["accuracy"]
    assert result.training.best_step is not None


def test_equal_texts_and_groups_are_not_parted_by_the_split(shape):
    made = [
        Record(text, None, label, row={"customer": f"c{place // 4}"}, where=f"train[{place}]")
        for place, (text, label) in enumerate(rows(80))
    ]
    splits = make_splits({"train": made}, recipe_for(shape, "data.group_column=customer", "data.dev_share=0.2"))
    train, dev = ({record.row["customer"] for record in part.records} for part in (splits.train, splits.dev))
    assert not train & dev
    assert len(splits.train.records) + len(splits.dev.records) == 80
    assert splits.dev.source == "20% of train"


def test_labels_that_are_numbers_are_in_their_order(shape):
    made = [Record(f"text {place}", None, str(place % 12), where=str(place)) for place in range(48)]
    assert make_splits({"train": made, "dev": made}, recipe_for(shape)).answers.names == tuple(map(str, range(12)))


def test_saved_and_loaded_it_answers_the_same(shape, tmp_path):
    recipe = recipe_for(shape, "features.pooling=pooler", "document.keep=tail", "document.max_length=6")
    splits = make_splits({"train": records("train", 24), "dev": records("dev", 12, 1)}, recipe)
    bundle = finetune(recipe, splits).bundle
    save_bundle(bundle, tmp_path / "model")
    loaded = load_bundle(tmp_path / "model")
    assert loaded.model.task == bundle.model.task
    assert (loaded.labels, loaded.max_length, loaded.precision) == (bundle.labels, 6, "float32")
    assert_close(loaded.model.state_dict(), bundle.model.state_dict(), atol=0, rtol=0)
    told = [Record(text) for text, _ in rows(9, seed=4)]
    ours, theirs = (each.outputs(each.prepare(told), device=CPU).values for each in (bundle, loaded))
    assert (ours == theirs).all()
    measured, truncated = evaluate_bundle(loaded, splits.dev, device=CPU, seed=0)
    assert measured.rows.records == splits.dev.records
    assert truncated.texts == sum(len(text.split()) > 4 for text in splits.dev.texts)
    np.testing.assert_allclose(measured.outputs.values.sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        ("features=mix",),
        ("features={layers: {kind: concat, numbers: all_and_embeddings}, pooling: max}",),
        ("document={kind: chunks, join: attention, max_length: 5, overlap: 1}", "features.pooling=mean"),
        ("features={layers: {kind: max, numbers: [0, -1]}, pooling: pooler}", "document.kind=auto"),
    ],
)
def test_every_weight_above_the_encoder_comes_back(settings, shape, tmp_path):
    recipe = recipe_for(shape, *settings)
    bundle = finetune(recipe, make_splits({"train": records("a", 24), "dev": records("b", 8)}, recipe)).bundle
    save_bundle(bundle, tmp_path)
    loaded = load_bundle(tmp_path)
    assert_close(loaded.model.state_dict(), bundle.model.state_dict(), atol=0, rtol=0)
    told = [Record(text) for text, _ in rows(9, seed=4)]
    ours, theirs = (each.outputs(each.prepare(told), device=CPU).values for each in (bundle, loaded))
    assert (ours == theirs).all()
    assert "BertForSequenceClassification" not in json.loads((tmp_path / "config.json").read_text())["architectures"]


def test_a_bundle_of_the_first_format_is_read(shape, tmp_path):
    recipe = recipe_for(shape, "features.pooling=pooler", "document.max_length=6")
    bundle = finetune(recipe, make_splits({"train": records("a", 16), "dev": records("b", 8)}, recipe)).bundle
    save_bundle(bundle, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    task = config["bertsmith"]["task"]
    config["bertsmith"] |= {"format": 1, "task": {**task, **task.pop("answers")}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_bundle(tmp_path)
    assert loaded.model.task == bundle.model.task
    assert_close(loaded.model.state_dict(), bundle.model.state_dict(), atol=0, rtol=0)


def test_a_model_of_one_text_refuses_pairs(shape):
    recipe = recipe_for(shape)
    bundle = finetune(recipe, make_splits({"train": records("a", 16), "dev": records("b", 8)}, recipe)).bundle
    with pytest.raises(UserError, match="one text, not a pair"):
        bundle.prepare([Record("a", "b")])


# Folders.


def filled(folder: Path, *more: str) -> Path:
    folder.mkdir()
    for name in ("metrics.json", "recipe.yaml", "model.safetensors", "log.jsonl", *more):
        (folder / name).write_text("old")
    (folder / "checkpoints" / "step-00000001").mkdir(parents=True)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_new_run_clears_what_runs_leave_and_nothing_else(shape, tmp_path):
    out = filled(tmp_path / "out", "notes.txt", ".model.safetensors.abcdefgh", "other.safetensors")
    prepare_folder(out, recipe_for(shape), keep_snapshots=False)
    assert names(out) == {"recipe.yaml", "notes.txt", "other.safetensors"}
    assert (out / "recipe.yaml").read_text().startswith("kind: finetune")


def test_going_on_keeps_snapshots_and_log(shape, tmp_path):
    out = filled(tmp_path / "out")
    prepare_folder(out, recipe_for(shape), keep_snapshots=True)
    assert names(out) == {"recipe.yaml", "log.jsonl", "checkpoints"}


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    out = tmp_path / "new" / "out"
    with holding_folder(out):
        with pytest.raises(UserError, match="another process is learning there") as caught, holding_folder(out):
            pass
        (out / "recipe.yaml").write_text("")
    assert caught.value.code == "run_busy"
    with holding_folder(out):
        assert names(out) == {"recipe.yaml", ".lock"}
    assert names(out) == {"recipe.yaml"}


def test_what_a_killed_run_held_is_free(tmp_path):
    (tmp_path / ".lock").write_text("")
    with holding_folder(tmp_path):
        pass
    assert names(tmp_path) == set()


def test_a_run_that_never_began_leaves_no_folder(tmp_path):
    with pytest.raises(UserError), holding_folder(tmp_path / "a" / "b"):
        raise UserError("the data do not fit", code="none")
    assert names(tmp_path) == set()


def test_a_run_refuses_a_folder_in_which_another_one_learns(shape, tmp_path):
    pytest.importorskip("fcntl")
    recipe = recipe_for(shape)
    splits = make_splits({"train": records("train", 8), "dev": records("dev", 4)}, recipe)
    with holding_folder(tmp_path), pytest.raises(UserError, match="another process"):
        finetune(recipe, splits, out=tmp_path)
    finetune(recipe, splits, out=tmp_path)
    assert ".lock" not in names(tmp_path)


def test_complete_means_metrics_and_no_snapshots(tmp_path):
    out = filled(tmp_path / "out")
    assert not is_complete(out)
    finish_folder(out)
    assert is_complete(out)
    (out / "metrics.json").unlink()
    assert not is_complete(out)


@pytest.mark.parametrize(
    "name", [name.replace("[0-9]", "1") for name in LEAVES if "*" not in name and name != "recipe.yaml"]
)
def test_what_looks_like_a_model_without_a_run_is_not_resumed(name, tmp_path):
    (tmp_path / name).write_text("")
    with pytest.raises(UserError, match=r"no recipe\.yaml") as caught:
        require_run(tmp_path)
    assert caught.value.code == "not_a_run"
    (tmp_path / "recipe.yaml").write_text("")
    require_run(tmp_path)


def test_an_empty_or_missing_folder_can_be_resumed(tmp_path):
    require_run(tmp_path)
    require_run(tmp_path / "new")
