"""Runs as values: a recipe and rows in, a trained and measured model out. The only place where siblings meet."""

from bertsmith.recipes.bundle import Bundle, LabelType, load_bundle, load_tasks, save_bundle, save_tasks, tasks_of
from bertsmith.recipes.contrast_data import ItemSplits, make_item_splits, read_item_splits
from bertsmith.recipes.contrast_methods import METHODS
from bertsmith.recipes.contrast_result import ContrastResult
from bertsmith.recipes.contrast_schema import ContrastRecipe, contrast_recipe
from bertsmith.recipes.contrasting import contrast, rehearse_contrast
from bertsmith.recipes.conversion import Conversion, ConversionRecipe, conversion_recipe, convert
from bertsmith.recipes.counting import TOO_MANY_DEGRADED, degraded_warning
from bertsmith.recipes.encoding import EncodeRecipe, EncodeResult, Whiten, encode_file, encode_recipe, fit_whitening
from bertsmith.recipes.ensemble import Answering, Ensemble, load_model, save_model
from bertsmith.recipes.evaluation import Measured, evaluate_bundle, measure
from bertsmith.recipes.finetuning import Rehearsal, finetune, rehearse
from bertsmith.recipes.folder import LOG, METRICS, RECIPE, finish_folder, is_complete, require_run
from bertsmith.recipes.judging import Judge
from bertsmith.recipes.leaks import Leak
from bertsmith.recipes.mining import (
    ClustersRecipe,
    NegativesRecipe,
    PairsRecipe,
    found_clusters,
    found_pairs,
    write_negatives,
)
from bertsmith.recipes.multitask_schema import FinalStage, MultiTaskRecipe, TaskRecipe, multitask_recipe
from bertsmith.recipes.multitasking import (
    MultiTaskResult,
    TaskSplits,
    make_task_splits,
    multitask,
    read_task_splits,
    rehearse_multitask,
)
from bertsmith.recipes.paraphrase_schema import Counted, ParaphraseRecipe, Similar, paraphrase_recipe
from bertsmith.recipes.paraphrasing import AT_ONCE, Paraphrased, Session, paraphrase
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
from bertsmith.recipes.writing import WritingModel, load_writing_model

__all__ = [
    "AT_ONCE",
    "LOG",
    "METHODS",
    "METRICS",
    "RECIPE",
    "TOO_MANY_DEGRADED",
    "Answering",
    "Asked",
    "Bundle",
    "BundleEmbedder",
    "ClustersRecipe",
    "ContrastRecipe",
    "ContrastResult",
    "Conversion",
    "ConversionRecipe",
    "Counted",
    "DataFiles",
    "EncodeRecipe",
    "EncodeResult",
    "EncoderChoice",
    "Ensemble",
    "Extension",
    "FinalStage",
    "FinetuneRecipe",
    "FinetuneResult",
    "IndexRecipe",
    "ItemSplits",
    "Judge",
    "LabelType",
    "Leak",
    "LearnedWords",
    "Measured",
    "MultiTaskRecipe",
    "MultiTaskResult",
    "NegativesRecipe",
    "PairsRecipe",
    "ParaphraseRecipe",
    "Paraphrased",
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
    "Session",
    "Similar",
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
    "WritingModel",
    "contrast",
    "contrast_recipe",
    "conversion_recipe",
    "convert",
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
    "load_model",
    "load_sentence_bundle",
    "load_tasks",
    "load_writing_model",
    "make_index",
    "make_item_splits",
    "make_splits",
    "make_task_splits",
    "measure",
    "measure_search",
    "merged",
    "multitask",
    "multitask_recipe",
    "open_encoder",
    "paraphrase",
    "paraphrase_recipe",
    "parse_recipe",
    "pretrain",
    "pretrain_recipe",
    "prune",
    "read_item_splits",
    "read_pairs",
    "read_queries",
    "read_rows",
    "read_splits",
    "read_task_splits",
    "recipe_yaml",
    "rehearse",
    "rehearse_contrast",
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
    "write_negatives",
]
