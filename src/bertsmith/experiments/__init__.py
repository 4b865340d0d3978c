"""Many runs as one experiment: trials, seeds, searches, folds, the ladder of tricks, significance."""

from bertsmith.experiments.course import GiveUp, never
from bertsmith.experiments.journal import Journal
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.said import Said
from bertsmith.experiments.trial import Evaluation, Outcome, Trial

__all__ = ["Evaluation", "GiveUp", "Journal", "Outcome", "Said", "Trial", "TrialRunner", "never"]
