"""Objective = arrangement × corruption × attention mask × losses: how an encoder learns from raw text."""

from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.corruption import Corrupted, Corruption
from bertsmith.pretraining.describing import described, in_words
from bertsmith.pretraining.filling import FillIn, Guess, fill_exercises, fill_texts
from bertsmith.pretraining.measure import heldout_metrics
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.objective import Losses, Objective, Variant
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.replacement import Replace
from bertsmith.pretraining.selection import Select
from bertsmith.pretraining.showing import Showing, Shown
from bertsmith.pretraining.stored import generator_checkpoint, load_generator, load_heads, pretrained_heads
from bertsmith.pretraining.token_vectors import TokenVectors
from bertsmith.pretraining.updates import PretrainUpdates, TextPlan, TokenCorpus
from bertsmith.pretraining.vocabulary import VocabularyFacts

__all__ = [
    "OBJECTIVES",
    "Corrupted",
    "Corruption",
    "FillIn",
    "Guess",
    "Losses",
    "Objective",
    "Passage",
    "PretrainBatch",
    "PretrainUpdates",
    "Pretrainer",
    "Replace",
    "Select",
    "Showing",
    "Shown",
    "TextPlan",
    "TokenCorpus",
    "TokenVectors",
    "Variant",
    "VocabularyFacts",
    "described",
    "fill_exercises",
    "fill_texts",
    "generator_checkpoint",
    "heldout_metrics",
    "in_words",
    "load_generator",
    "load_heads",
    "pretrained_heads",
]
