"""Runs as values: a recipe and rows in, a trained and measured model out. The only place where siblings meet."""

from bertsmith.recipes.bundle import Bundle, load_bundle, save_bundle
from bertsmith.recipes.evaluation import Measured, evaluate_bundle, measure
from bertsmith.recipes.finetuning import FinetuneResult, finetune
from bertsmith.recipes.folder import finish_folder, prepare_folder
from bertsmith.recipes.schema import (
    DataFiles,
    FinetuneRecipe,
    Start,
    Vocabulary,
    finetune_recipe,
    merged,
    recipe_yaml,
    write_recipe,
)
from bertsmith.recipes.splits import Rows, Splits, make_splits, read_rows, read_splits

__all__ = [
    "Bundle",
    "DataFiles",
    "FinetuneRecipe",
    "FinetuneResult",
    "Measured",
    "Rows",
    "Splits",
    "Start",
    "Vocabulary",
    "evaluate_bundle",
    "finetune",
    "finetune_recipe",
    "finish_folder",
    "load_bundle",
    "make_splits",
    "measure",
    "merged",
    "prepare_folder",
    "read_rows",
    "read_splits",
    "recipe_yaml",
    "save_bundle",
    "write_recipe",
]
