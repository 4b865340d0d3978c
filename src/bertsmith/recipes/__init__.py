"""Runs as values: a recipe and rows in, a trained and measured model out. The only place where siblings meet."""

from bertsmith.recipes.bundle import Bundle, load_bundle, save_bundle
from bertsmith.recipes.evaluation import Measured, evaluate_bundle, measure
from bertsmith.recipes.finetuning import Rehearsal, finetune, rehearse
from bertsmith.recipes.folder import LOG, METRICS, RECIPE, finish_folder, is_complete, require_run
from bertsmith.recipes.pretraining import PretrainResult, pretrain, save_pretrained
from bertsmith.recipes.pretraining_schema import PretrainRecipe, pretrain_recipe
from bertsmith.recipes.result import FinetuneResult
from bertsmith.recipes.schema import (
    DataFiles,
    FinetuneRecipe,
    Start,
    Vocabulary,
    finetune_recipe,
    merged,
    recipe_yaml,
    require_same_run,
)
from bertsmith.recipes.splits import Rows, Splits, make_splits, read_rows, read_splits

__all__ = [
    "LOG",
    "METRICS",
    "RECIPE",
    "Bundle",
    "DataFiles",
    "FinetuneRecipe",
    "FinetuneResult",
    "Measured",
    "PretrainRecipe",
    "PretrainResult",
    "Rehearsal",
    "Rows",
    "Splits",
    "Start",
    "Vocabulary",
    "evaluate_bundle",
    "finetune",
    "finetune_recipe",
    "finish_folder",
    "is_complete",
    "load_bundle",
    "make_splits",
    "measure",
    "merged",
    "pretrain",
    "pretrain_recipe",
    "read_rows",
    "read_splits",
    "recipe_yaml",
    "rehearse",
    "require_run",
    "require_same_run",
    "save_bundle",
    "save_pretrained",
]
