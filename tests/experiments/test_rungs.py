"""Rungs as data: ours, a user's own, and what an option makes of a recipe."""

from contextlib import suppress

import numpy as np
import pytest
import yaml

from bertsmith.errors import UserError
from bertsmith.experiments import Facts, Ladder, Option, Rung, ladder_recipe, picked, usual_rungs
from bertsmith.experiments.planning import plan, promise
from bertsmith.experiments.rungs import changed

CHOSEN = {"start": {"model": "tiny"}}


def test_our_rungs_are_those_of_the_paper_and_more():
    names = ["truncation", "layers", "rate", "decay", "within_task", "in_domain", "multitask", "tricks"]
    assert list(usual_rungs()) == names
    assert [rung.name for rung in Ladder().rungs] == names


UNFIT = {
    "regression": {"label_smoothing"},
    "pair": {"chunks_mean", "chunks_max", "chunks_attention"},
    "tagging": {
        *("head", "tail", "head_tail", "chunks_mean", "chunks_max", "chunks_attention"),
        *("mean", "max"),
    },
}


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression", "pair", "tagging"])
def test_options_fit_every_task_but_for_these(task):
    unfit = set()
    for option in (option for rung in usual_rungs().values() for option in rung.options):
        with suppress(UserError):
            changed({**CHOSEN, "task": {"kind": task}}, option)
            continue
        unfit.add(option.name)
    assert unfit == UNFIT.get(task, set())


def test_an_option_keeps_what_it_does_not_speak_of():
    chosen = {**CHOSEN, "document": {"kind": "truncate", "keep": "tail", "max_length": 96}, "features": "mean"}
    chunks = changed(chosen, Option(name="chunks", set={"document": {"kind": "chunks", "join": "mean"}}))
    assert (chunks.document.kind, chunks.document.max_length) == ("chunks", 96)
    layers = changed(chosen, Option(name="layers", set={"features.layers": {"kind": "max", "numbers": "last_4"}}))
    assert (layers.features.pooling, layers.features.layers.kind) == ("mean", "max")
    assert layers.document.keep == "tail"


def test_several_dropouts_are_of_the_head_there_is():
    option = next(one for one in usual_rungs()["tricks"].options if one.name == "multi_sample")
    assert changed(CHOSEN, option).head.of.dropout == 0.5
    head = changed({**CHOSEN, "head": {"kind": "mlp", "hidden": 8}}, option).head
    assert (head.of.kind, head.of.hidden) == ("mlp", 8)
    several = {**CHOSEN, "head": {"kind": "multi_sample", "samples": 3}}
    assert changed(several, option) == changed(several, Option(name="as it is"))
    with pytest.raises(UserError, match="bilstm"):
        changed({**CHOSEN, "task": "tagging", "head": {"kind": "bilstm"}}, option)


def test_an_encoder_made_on_the_way_is_learned_as_the_baseline_is():
    recipe = ladder_recipe(given={"start": {"model": "tiny-zh"}, "task": {"kind": "classification"}})
    made = changed(recipe.chosen, Option(name="further", set={"start.model": "/not/there/yet"}))
    assert made.but(start=recipe.base.start) == recipe.base


def test_rungs_by_name_and_of_ones_own(tmp_path):
    own = {"name": "batch", "options": [{"name": "64", "set": {"batches.batch_size": 64}}]}
    path = tmp_path / "ladder.yaml"
    path.write_text(yaml.safe_dump({"kind": "ladder", **CHOSEN, "ladder": {"rungs": ["decay", own], "seeds": 5}}))
    recipe = ladder_recipe(given={}, file=path)
    assert [rung.name for rung in recipe.ladder.rungs] == ["decay", "batch"]
    assert recipe.ladder.seeds == 5
    assert [rung.name for rung in picked(recipe.ladder.rungs, ["batch", "rate"])] == ["batch", "rate"]
    path.write_text(recipe.yaml())
    assert ladder_recipe(given={}, file=path) == recipe


@pytest.mark.parametrize("encoder", [{"kind": "further", "steps": 3}, {"kind": "multitask"}])
@pytest.mark.parametrize("task", ["classification", "multilabel", "regression", "pair", "tagging"])
def test_a_ladder_can_be_read_back(encoder, task, tmp_path):
    own = {"name": "own", "options": [{"name": "one", "encoder": encoder}]}
    given = {**CHOSEN, "ladder": {"rungs": ["rate", own], "extra": {"more": {"task": task, "train": "x.csv"}}}}
    recipe, path = ladder_recipe(given=given), tmp_path / "ladder.yaml"
    path.write_text(recipe.yaml())
    assert ladder_recipe(given={}, file=path) == recipe


@pytest.mark.parametrize(
    ("ladder", "words"),
    [
        ({"rungs": ["rates"]}, "there is no rung 'rates'"),
        ({"rungs": ["rate", "rate"]}, "there is one already"),
        ({"seeds": 1}, "greater than or equal to 2"),
        ({"rungs": [{"name": "x", "options": [{"name": "a"}, {"name": "a"}]}]}, "two options are called 'a'"),
        ({"level": 1.5}, "ladder.level"),
    ],
)
def test_what_is_wrong_is_said(ladder, words):
    with pytest.raises(UserError, match=words):
        ladder_recipe(given={**CHOSEN, "ladder": ladder})


def test_a_metric_of_which_less_is_better_is_refused():
    with pytest.raises(UserError, match="more is better"):
        ladder_recipe(given={**CHOSEN, "selection": {"better": "lower"}})


def test_an_unknown_rung_is_refused():
    with pytest.raises(UserError, match="there is no rung 'top'; there are truncation, layers"):
        picked((), ["top"])


def facts(**more):
    return Facts(np.array([50, 100, 200]), 100, 12, **{"seconds": 60.0, "tokens_per_second": 1000.0, **more})


def test_costs():
    known = facts(seeds=3, parallel=2)
    assert known.long == 1
    assert known.option(Option(name="a", cost=2.0)) == 2 * 60 * 3 / 2
    assert known.option(Option(name="a", cost="whole")) == pytest.approx(350 / 250 * 60 * 3 / 2)
    assert known.end(3) == 60.0
    further = Option(name="a", encoder={"kind": "further", "steps": 100})
    read = 100 * 32 * ((50 + 100 + 128) / 3 * 128) ** 0.5
    assert known.option(further) == pytest.approx(read / 500 + 90)


def test_a_plan_takes_the_promising_options_that_fit():
    rungs = [
        Rung(name="one", options=(Option(name="a", first=2), Option(name="b"), Option(name="c", cost=9.0))),
        Rung(name="two", options=(Option(name="d"), Option(name="e", first=3))),
    ]
    found = plan(rungs, {}, facts(), seconds=600 / 0.9, shares={}, rate=1e-4)
    assert {name: [option.name for option in some] for name, some in found.options.items()} == {
        "one": ["a", "b"],
        "two": ["d"],
    }
    assert found.comparisons == 3
    assert set(found.left_out) == {("one", "c"), ("two", "e")}
    assert (
        plan(rungs, {("two", None): "", ("one", "a"): ""}, facts(), seconds=None, shares={}, rate=1e-4).comparisons == 2
    )
    assert plan(rungs, {}, facts(), seconds=600 / 0.9, shares={0.1: 50.0, 0.5: 60.0, 1.0: 200.0}, rate=1e-4).shares == (
        0.1,
        0.5,
    )


@pytest.mark.parametrize(
    ("rate", "near"),
    [(5e-5, {"2e-5", "5e-5", "1e-4"}), (3e-4, {"2e-4", "4e-4"}), (2e-5, {"2e-5", "5e-5"})],
)
def test_rates_near_the_baseline_are_planned_first(rate, near):
    rates = usual_rungs()["rate"].options
    assert {option.name for option in rates if promise(option, rate) == 1} == near
    assert promise(Option(name="a", set={"optimizer.lr": 1.0}, first=3), rate) == 3
    assert promise(Option(name="a", set={"optimizer.lr": "1e-9"}), rate) == 2  # YAML reads 1e-9 as text
