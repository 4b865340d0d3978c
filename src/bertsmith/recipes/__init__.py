"""Runs as values: a recipe and rows in, a trained and measured model out. The only place where siblings meet."""

from bertsmith.recipes.bundle import Bundle, LabelType, load_bundle, load_tasks, save_bundle, save_tasks, tasks_of
from bertsmith.recipes.counting import TOO_MANY_DEGRADED, degraded_warning
from bertsmith.recipes.encoding import EncodeRecipe, EncodeResult, Whiten, encode_file, encode_recipe, fit_whitening
from bertsmith.recipes.ensemble import Answering, Ensemble, load_model, save_model
from bertsmith.recipes.evaluation import Measured, evaluate_bundle, measure
from bertsmith.recipes.finetuning import Rehearsal, finetune, rehearse
from bertsmith.recipes.folder import LOG, METRICS, RECIPE, finish_folder, is_complete, require_run
from bertsmith.recipes.leaks import Leak
from bertsmith.recipes.multitask_schema import FinalStage, MultiTaskRecipe, TaskRecipe, multitask_recipe
from bertsmith.recipes.multitasking import (
    MultiTaskResult,
    TaskSplits,
    make_task_splits,
    multitask,
    read_task_splits,
    rehearse_multitask,
)
from bertsmith.recipes.pretrain_result import PretrainResult
from bertsmith.recipes.pretraining import pretrain, save_pretrained
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
from bertsmith.recipes.sentence_bundle import SentenceBundle, save_sentence_bundle
from bertsmith.recipes.sentence_loading import is_sentence_encoder, load_sentence_bundle
from bertsmith.recipes.similar import LearnedWords, SimilarRecipe, learn_similar, similar_recipe
from bertsmith.recipes.splits import Rows, Splits, make_splits, read_rows, read_splits
from bertsmith.recipes.sts import StsRecipe, evaluate_sts, sts_recipe
from bertsmith.recipes.sts_result import StsMean, StsResult, StsScore
from bertsmith.recipes.sts_sets import Published, ScoredPairs, read_pairs
from bertsmith.recipes.vocabulary import Extension, Pruning, Resized, extend, prune, vocabulary_recipe

__all__ = [
    "LOG",
    "METRICS",
    "RECIPE",
    "TOO_MANY_DEGRADED",
    "Answering",
    "Bundle",
    "DataFiles",
    "EncodeRecipe",
    "EncodeResult",
    "Ensemble",
    "Extension",
    "FinalStage",
    "FinetuneRecipe",
    "FinetuneResult",
    "LabelType",
    "Leak",
    "LearnedWords",
    "Measured",
    "MultiTaskRecipe",
    "MultiTaskResult",
    "PretrainRecipe",
    "PretrainResult",
    "Pruning",
    "Published",
    "Rehearsal",
    "Resized",
    "Rows",
    "ScoredPairs",
    "SentenceBundle",
    "SimilarRecipe",
    "Splits",
    "Start",
    "StsMean",
    "StsRecipe",
    "StsResult",
    "StsScore",
    "TaskRecipe",
    "TaskSplits",
    "Vocabulary",
    "Whiten",
    "degraded_warning",
    "encode_file",
    "encode_recipe",
    "evaluate_bundle",
    "evaluate_sts",
    "extend",
    "finetune",
    "finetune_recipe",
    "finish_folder",
    "fit_whitening",
    "is_complete",
    "is_sentence_encoder",
    "learn_similar",
    "load_bundle",
    "load_model",
    "load_sentence_bundle",
    "load_tasks",
    "make_splits",
    "make_task_splits",
    "measure",
    "merged",
    "multitask",
    "multitask_recipe",
    "pretrain",
    "pretrain_recipe",
    "prune",
    "read_pairs",
    "read_rows",
    "read_splits",
    "read_task_splits",
    "recipe_yaml",
    "rehearse",
    "rehearse_multitask",
    "require_run",
    "require_same_run",
    "save_bundle",
    "save_model",
    "save_pretrained",
    "save_sentence_bundle",
    "save_tasks",
    "similar_recipe",
    "sts_recipe",
    "tasks_of",
    "vocabulary_recipe",
]
