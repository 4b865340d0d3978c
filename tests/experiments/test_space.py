"""What may be searched: as options, as YAML, as words."""

from pathlib import Path

import pytest

from bertsmith.errors import UserError
from bertsmith.experiments import PRESETS, Median, Range, in_words, parse_grid, parse_search, tune_recipe
from bertsmith.experiments.proposals import proposals_for
from bertsmith.experiments.space import combinations


def test_the_usual_grid_of_bert():
    assert parse_grid(["bert"]) == {
        "batches.batch_size": [16, 32],
        "optimizer.lr": [5e-5, 3e-5, 2e-5],
        "budget.epochs": [2, 3, 4],
    }
    assert len(combinations({name: tuple(values) for name, values in PRESETS["bert"].items()})) == 18


def test_a_field_named_again_replaces_that_of_the_preset():
    assert parse_grid(["bert", "lr=1e-4,3e-4"])["optimizer.lr"] == [1e-4, 3e-4]


def test_values_are_what_they_look_like():
    found = parse_grid(["a.b=1,2.5,3e-5,true,null,word", "adversarial=null,{kind: fgm, epsilon: 0.5}"])
    assert found == {
        "a.b": [1, 2.5, 3e-5, True, None, "word"],
        "adversarial": [None, {"kind": "fgm", "epsilon": 0.5}],
    }


def test_ranges():
    assert parse_search(["lr=1e-5..1e-3:log", "epochs=2..6"]) == {
        "optimizer.lr": {"low": 1e-5, "high": 1e-3, "log": True},
        "budget.epochs": {"low": 2, "high": 6, "log": False},
    }
    assert Range(low=2, high=6).whole
    assert not Range(low=2.0, high=6).whole


@pytest.mark.parametrize("text", ["sun", "lr=", "=1,2", "lr=[1"])
def test_a_grid_written_otherwise_is_refused(text):
    with pytest.raises(UserError, match="--grid"):
        parse_grid([text])


@pytest.mark.parametrize("text", ["lr", "lr=1", "lr=1..", "lr=1..2..3", "lr=1..2:exp", "=1..2"])
def test_a_range_written_otherwise_is_refused(text):
    with pytest.raises(UserError, match=r"--search takes FIELD=LOW\.\.HIGH"):
        parse_search([text])


def test_a_recipe_with_a_part_tune(tmp_path: Path):
    path = tmp_path / "tune.yaml"
    path.write_text(
        "kind: tune\nstart: {encoder: tiny}\nbudget: {epochs: 5}\n"
        "tune:\n  grid: bert\n  search: {optimizer.layer_decay: {low: 0.8, high: 1.0}}\n  tpe: 12\n"
    )
    recipe = tune_recipe(given={"tune": {"seeds": 2}}, file=path, settings=["tune.round=3", "seed=7"])
    assert (recipe.tune.tpe, recipe.tune.seeds, recipe.tune.round, recipe.base.seed) == (12, 2, 3, 7)
    assert list(recipe.tune.space) == [*PRESETS["bert"], "optimizer.layer_decay"]
    assert recipe.tune.rule == Median()
    assert recipe.recipe({"budget.epochs": 2, "head.kind": "mlp"}).head.kind == "mlp"
    assert recipe.base.features.pooling == "mean", "the defaults of random weights"
    (tmp_path / "again.yaml").write_text(recipe.yaml())
    assert tune_recipe(given={}, file=tmp_path / "again.yaml") == recipe


def test_options_replace_the_space_of_the_file(tmp_path: Path):
    path = tmp_path / "tune.yaml"
    path.write_text("start: {encoder: tiny}\ntune: {grid: bert, seeds: 3}\n")
    recipe = tune_recipe(given={"tune": {"grid": {"optimizer.lr": [1e-4]}}}, file=path)
    assert dict(recipe.tune.space) == {"optimizer.lr": (1e-4,)}
    assert recipe.tune.seeds == 3


@pytest.mark.parametrize(
    ("tuning", "words"),
    [
        ({"grid": "sun"}, "the presets are bert"),
        ({"search": {"lr": {"low": 2, "high": 1}}}, "a range goes from low to a higher number"),
        ({"search": {"lr": {"low": 0, "high": 1, "log": True}}}, "begins above 0"),
        ({"grid": {"lr": []}}, "at least 1 item"),
        ({"trials": 3}, "Extra inputs"),
    ],
)
def test_wrong_searches_are_refused(tuning, words):
    with pytest.raises(UserError, match=words):
        tune_recipe(given={"start": {"encoder": "tiny"}, "tune": tuning})


def test_nothing_to_search_and_ranges_without_a_number():
    with pytest.raises(UserError, match="nothing to search: give --grid bert"):
        proposals_for({}, None, better="higher", seed=0)
    with pytest.raises(UserError, match=r"lr: a range has no end of values; say how many trials to make with --tpe N"):
        proposals_for({"lr": Range(low=0, high=1)}, None, better="higher", seed=0)


def test_sets_in_words():
    assert in_words({"optimizer.lr": 3e-5, "batches.batch_size": 16, "head.kind": "mlp"}) == (
        "lr 3e-05, batch_size 16, head.kind mlp"
    )
