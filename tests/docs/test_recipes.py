"""Every recipe of the repository is tried for two steps."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertsmith.cli import main
from bertsmith.experiments import ladder_recipe
from bertsmith.recipes import FinetuneRecipe, MultiTaskRecipe
from tests.docs.documents import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
TRAIN = {"classification": "train.csv", "pair": "pairs.csv", "tagging": "names.jsonl"}
SHAPE = {"num_layers": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32}


def finetuning(values: dict[str, Any]) -> list[str]:
    """What a recipe of fine-tuning is given here: the data it names, or a file of its kind."""
    recipe = FinetuneRecipe.model_validate(values)
    return ["--train", str(recipe.data.train) if Path(recipe.data.train).exists() else TRAIN[recipe.task.kind]]


def pretraining(values: dict[str, Any]) -> list[str]:
    """What a recipe of pre-training is given here: another corpus, and a shape or checkpoint that is at hand."""
    Path("shape.json").write_text(json.dumps(SHAPE), encoding="utf-8")
    start = ["--encoder", "shape.json"] if values["start"].get("encoder") else ["--model", "bert-base-chinese"]
    return ["--corpus", "news.txt", *start, "--set", "corpus.held_out_share=0.2"]


def several(values: dict[str, Any]) -> list[str]:
    """The files of each task, by its name."""
    tasks = MultiTaskRecipe.model_validate(values).tasks
    return [part for name, task in tasks.items() for part in ("--train", f"{name}={TRAIN[task.task.kind]}")]


def searching(values: dict[str, Any]) -> list[str]:
    """A recipe of a search: one set of it, the files that it names being here."""
    assert Path(values["data"]["train"]).exists()
    return ["--grid", "lr=1e-4"]


COMMANDS = {
    "finetune": ("finetune", finetuning),
    "multitask": ("finetune", several),
    "pretrain": ("pretrain", pretraining),
    "tune": ("tune", searching),
}
"""The command of each kind of recipe, and what it is given beside it."""

EXPERIMENTS = {"ladder": ladder_recipe}
"""Recipes of many runs are read only."""


def _kind(path: Path) -> str:
    return str(yaml.safe_load(path.read_text(encoding="utf-8")).get("kind", "finetune"))


@pytest.mark.parametrize("path", [path for path in RECIPES if _kind(path) in EXPERIMENTS], ids=lambda path: path.name)
def test_recipes_of_experiments_are_read(path: Path):
    EXPERIMENTS[_kind(path)](given={}, file=path)


@pytest.mark.parametrize("path", [path for path in RECIPES if _kind(path) in COMMANDS], ids=lambda path: path.name)
def test_recipes_run(path: Path, workplace: Path):
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    command, more = COMMANDS[values.get("kind", "finetune")]
    line = [command, "--recipe", str(path), *more(values), "--out", "out"]
    assert main([*line, "--set", "budget.max_steps=2", "--device", "cpu"]) == 0
    model = Path("out", "best") if command == "tune" else Path("out")
    assert {"model.safetensors", "report.html", "recipe.yaml"} <= {file.name for file in model.iterdir()}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipes_say_what_they_are_for(path: Path):
    assert re.match(r"# .{20,}\.\n", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_paths_of_the_repository_exist(path: Path):
    train = yaml.safe_load(path.read_text(encoding="utf-8")).get("data", {}).get("train", "")
    assert "/" not in train or (ROOT / train).exists()
