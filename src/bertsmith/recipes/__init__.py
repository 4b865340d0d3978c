"""Runs as values: a recipe and rows in, a trained and measured model out. The only place where siblings meet."""

from bertsmith.recipes.bundle import Bundle, LabelType, load_bundle, save_bundle
from bertsmith.recipes.counting import TOO_MANY_DEGRADED, degraded_warning
from bertsmith.recipes.encoding import EncodeRecipe, EncodeResult, Whiten, encode_file, encode_recipe, fit_whitening
from bertsmith.recipes.ensemble import Answering, Ensemble, load_model, save_model
from bertsmith.recipes.evaluation import Measured, evaluate_bundle, measure
from bertsmith.recipes.finetuning import Rehearsal, finetune, rehearse
from bertsmith.recipes.folder import LOG, METRICS, RECIPE, finish_folder, is_complete, require_run
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
    "FinetuneRecipe",
    "FinetuneResult",
    "LabelType",
    "LearnedWords",
    "Measured",
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
    "make_splits",
    "measure",
    "merged",
    "pretrain",
    "pretrain_recipe",
    "prune",
    "read_pairs",
    "read_rows",
    "read_splits",
    "recipe_yaml",
    "rehearse",
    "require_run",
    "require_same_run",
    "save_bundle",
    "save_model",
    "save_pretrained",
    "save_sentence_bundle",
    "similar_recipe",
    "sts_recipe",
    "vocabulary_recipe",
]
