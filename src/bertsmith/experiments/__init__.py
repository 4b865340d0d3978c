"""Many runs as one experiment: trials, seeds, searches, folds, the ladder of tricks, significance."""

from bertsmith.experiments.climbed import Attempt, Climbed, Climbing, Point, Skipped
from bertsmith.experiments.climbing import climb
from bertsmith.experiments.course import GiveUp, never
from bertsmith.experiments.encoders import Workshop
from bertsmith.experiments.folder import (
    BEST,
    ENSEMBLE,
    LADDER,
    LADDER_RECIPE,
    TABLE,
    begin_folder,
    finish_experiment,
    link_model,
)
from bertsmith.experiments.folds import CrossValidated, Folding, FoldsRecipe, cross_validate, folds_recipe
from bertsmith.experiments.importance import Importance, importance
from bertsmith.experiments.journal import Journal
from bertsmith.experiments.laddering import FewTexts, Ladder, LadderRecipe, ladder_recipe
from bertsmith.experiments.planning import Facts
from bertsmith.experiments.pruning import Halving, Median, Pruning
from bertsmith.experiments.rungs import Option, Rung, picked, usual_rungs
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.said import Said
from bertsmith.experiments.significance import Difference, Runs, Spread, difference, holm
from bertsmith.experiments.space import PRESETS, Range, in_words, parse_grid, parse_search
from bertsmith.experiments.trial import Evaluation, Outcome, Trial
from bertsmith.experiments.tuning import Tried, Tuned, TuneRecipe, Tuning, tune, tune_recipe
from bertsmith.experiments.unseen import OnTest, Unseen, on_test

__all__ = [
    "BEST",
    "ENSEMBLE",
    "LADDER",
    "LADDER_RECIPE",
    "PRESETS",
    "TABLE",
    "Attempt",
    "Climbed",
    "Climbing",
    "CrossValidated",
    "Difference",
    "Evaluation",
    "Facts",
    "FewTexts",
    "Folding",
    "FoldsRecipe",
    "GiveUp",
    "Halving",
    "Importance",
    "Journal",
    "Ladder",
    "LadderRecipe",
    "Median",
    "OnTest",
    "Option",
    "Outcome",
    "Point",
    "Pruning",
    "Range",
    "Rung",
    "Runs",
    "Said",
    "Skipped",
    "Spread",
    "Trial",
    "TrialRunner",
    "Tried",
    "TuneRecipe",
    "Tuned",
    "Tuning",
    "Unseen",
    "Workshop",
    "begin_folder",
    "climb",
    "cross_validate",
    "difference",
    "finish_experiment",
    "folds_recipe",
    "holm",
    "importance",
    "in_words",
    "ladder_recipe",
    "link_model",
    "never",
    "on_test",
    "parse_grid",
    "parse_search",
    "picked",
    "tune",
    "tune_recipe",
    "usual_rungs",
]
