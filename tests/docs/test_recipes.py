"""Every recipe of the repository is tried for two steps."""

import re
from pathlib import Path

import pytest
import yaml

from bertsmith.cli import main
from bertsmith.recipes import FinetuneRecipe
from tests.docs.documents import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
TRAIN = {"classification": "train.csv", "pair": "pairs.csv", "tagging": "names.jsonl"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipes_run(path: Path, workplace: Path):
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe = FinetuneRecipe.model_validate(values)
    train = recipe.data.train if Path(recipe.data.train).exists() else TRAIN[recipe.task.kind]
    line = ["finetune", "--recipe", str(path), "--train", train, "--out", "out", "--set", "budget.max_steps=2"]
    assert main([*line, "--device", "cpu"]) == 0
    assert {"model.safetensors", "report.html", "recipe.yaml"} <= {file.name for file in Path("out").iterdir()}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipes_say_what_they_are_for(path: Path):
    assert re.match(r"# .{20,}\.\n", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_paths_of_the_repository_exist(path: Path):
    train = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]["train"]
    assert "/" not in train or (ROOT / train).exists()
