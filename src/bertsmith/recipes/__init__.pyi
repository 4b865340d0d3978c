from .bundle import Bundle, LabelType, load_bundle, load_tasks, save_bundle, save_tasks, tasks_of
from .contrast_data import ItemSplits, make_item_splits, read_item_splits
from .contrast_methods import METHODS
from .contrast_result import ContrastResult
from .contrast_schema import ContrastRecipe, contrast_recipe
from .contrasting import contrast, rehearse_contrast
from .conversion import Conversion, ConversionRecipe, conversion_recipe, convert
from .counting import TOO_MANY_DEGRADED, degraded_warning
from .encoding import EncodeRecipe, EncodeResult, Whiten, encode_file, encode_recipe, fit_whitening
from .ensemble import Answering, Ensemble, load_model, save_model
from .evaluation import Measured, evaluate_bundle, measure
from .finetuning import Rehearsal, finetune, rehearse
from .folder import LOG, METRICS, RECIPE, finish_folder, holding_folder, is_complete, require_run
from .folder_kind import is_sentence_encoder
from .judging import Judge
from .leaks import Leak
from .mining import (
    ClustersRecipe,
    NegativesRecipe,
    PairsRecipe,
    found_clusters,
    found_pairs,
    write_negatives,
)
from .multitask_schema import FinalStage, MultiTaskRecipe, TaskRecipe, multitask_recipe
from .multitasking import (
    MultiTaskResult,
    TaskSplits,
    make_task_splits,
    multitask,
    read_task_splits,
    rehearse_multitask,
)
from .paraphrase_schema import Counted, ParaphraseRecipe, Similar, paraphrase_recipe
from .paraphrasing import AT_ONCE, Paraphrased, Session, paraphrase
from .pretrain_result import PretrainResult
from .pretraining import pretrain, save_pretrained
from .pretraining_schema import PretrainRecipe, pretrain_recipe
from .result import FinetuneResult
from .schema import (
    DataFiles,
    FinetuneRecipe,
    Start,
    Vocabulary,
    finetune_recipe,
    merged,
    recipe_yaml,
    require_same_run,
)
from .search_measuring import measure_search
from .search_models import BundleEmbedder, EncoderChoice, Reranker, open_encoder
from .search_reading import Asked, read_queries
from .searching import (
    IndexRecipe,
    Searcher,
    SearchRecipe,
    embedder_of,
    entries_of,
    extend_index,
    index_entries,
    index_recipe,
    lasting,
    make_index,
    parse_recipe,
)
from .sentence_bundle import SentenceBundle, save_sentence_bundle
from .sentence_loading import load_sentence_bundle
from .similar import LearnedWords, SimilarRecipe, learn_similar, similar_recipe
from .splits import Rows, Splits, make_splits, read_rows, read_splits
from .sts import StsRecipe, evaluate_sts, sts_recipe
from .sts_result import StsMean, StsResult, StsScore
from .sts_sets import Published, ScoredPairs, read_pairs
from .vocabulary import Extension, Pruning, Resized, extend, prune, vocabulary_recipe
from .writing import WritingModel, load_writing_model

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
    "holding_folder",
    "index_entries",
    "index_recipe",
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
