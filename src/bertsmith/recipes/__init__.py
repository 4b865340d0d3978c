"""Runs as values: a recipe and rows in, a trained and measured model out. The only place where siblings meet."""

from bertsmith.recipes.bundle import Bundle, LabelType, load_bundle, save_bundle
from bertsmith.recipes.counting import TOO_MANY_DEGRADED, degraded_warning
from bertsmith.recipes.encoding import EncodeRecipe, EncodeResult, Whiten, encode_file, encode_recipe, fit_whitening
from bertsmith.recipes.evaluation import Measured, evaluate_bundle, measure
from bertsmith.recipes.finetuning import Rehearsal, finetune, rehearse
from bertsmith.recipes.folder import LOG, METRICS, RECIPE, finish_folder, is_complete, require_run
from bertsmith.recipes.mining import (
    ClustersRecipe,
    NegativesRecipe,
    PairsRecipe,
    found_clusters,
    found_pairs,
    write_negatives,
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
from bertsmith.recipes.search_measuring import measure_search
from bertsmith.recipes.search_models import BundleEmbedder, EncoderChoice, Reranker, open_encoder
from bertsmith.recipes.search_reading import Asked, read_queries
from bertsmith.recipes.searching import (
    IndexRecipe,
    Searcher,
    SearchRecipe,
    embedder_of,
    entries_of,
    extend_index,
    index_entries,
    lasting,
    make_index,
    parse_recipe,
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
    "Asked",
    "Bundle",
    "BundleEmbedder",
    "ClustersRecipe",
    "DataFiles",
    "EncodeRecipe",
    "EncodeResult",
    "EncoderChoice",
    "Extension",
    "FinetuneRecipe",
    "FinetuneResult",
    "IndexRecipe",
    "LabelType",
    "LearnedWords",
    "Measured",
    "NegativesRecipe",
    "PairsRecipe",
    "PretrainRecipe",
    "PretrainResult",
    "Pruning",
    "Published",
    "Rehearsal",
    "Reranker",
    "Resized",
    "Rows",
    "ScoredPairs",
    "SearchRecipe",
    "Searcher",
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
    "embedder_of",
    "encode_file",
    "encode_recipe",
    "entries_of",
    "evaluate_bundle",
    "evaluate_sts",
    "extend",
    "extend_index",
    "finetune",
    "finetune_recipe",
    "finish_folder",
    "fit_whitening",
    "found_clusters",
    "found_pairs",
    "index_entries",
    "is_complete",
    "is_sentence_encoder",
    "lasting",
    "learn_similar",
    "load_bundle",
    "load_sentence_bundle",
    "make_index",
    "make_splits",
    "measure",
    "measure_search",
    "merged",
    "open_encoder",
    "parse_recipe",
    "pretrain",
    "pretrain_recipe",
    "prune",
    "read_pairs",
    "read_queries",
    "read_rows",
    "read_splits",
    "recipe_yaml",
    "rehearse",
    "require_run",
    "require_same_run",
    "save_bundle",
    "save_pretrained",
    "save_sentence_bundle",
    "similar_recipe",
    "sts_recipe",
    "vocabulary_recipe",
    "write_negatives",
]
