"""Many runs as one experiment: trials, seeds, searches, folds, the ladder of tricks, significance."""

from bertsmith.experiments.course import GiveUp, never
from bertsmith.experiments.folder import BEST, ENSEMBLE, TABLE, begin_folder, finish_experiment, link_model
from bertsmith.experiments.importance import Importance, importance
from bertsmith.experiments.journal import Journal
from bertsmith.experiments.pruning import Halving, Median, Pruning
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.said import Said
from bertsmith.experiments.space import PRESETS, Range, in_words, parse_grid, parse_search
from bertsmith.experiments.trial import Evaluation, Outcome, Trial
from bertsmith.experiments.tuning import Tried, Tuned, TuneRecipe, Tuning, tune, tune_recipe

__all__ = [
    "BEST",
    "ENSEMBLE",
    "PRESETS",
    "TABLE",
    "Evaluation",
    "GiveUp",
    "Halving",
    "Importance",
    "Journal",
    "Median",
    "Outcome",
    "Pruning",
    "Range",
    "Said",
    "Trial",
    "TrialRunner",
    "Tried",
    "TuneRecipe",
    "Tuned",
    "Tuning",
    "begin_folder",
    "finish_experiment",
    "importance",
    "in_words",
    "link_model",
    "never",
    "parse_grid",
    "parse_search",
    "tune",
    "tune_recipe",
]
