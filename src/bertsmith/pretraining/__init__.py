"""Objective = arrangement × corruption × attention mask × losses: how an encoder learns from raw text."""

from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.corruption import Corrupted, Corruption
from bertsmith.pretraining.measure import heldout_metrics
from bertsmith.pretraining.model import Pretrainer
from bertsmith.pretraining.objective import Losses, Objective, Variant
from bertsmith.pretraining.passage import Passage
from bertsmith.pretraining.presets import OBJECTIVES
from bertsmith.pretraining.replacement import Replace
from bertsmith.pretraining.selection import Select
from bertsmith.pretraining.stored import generator_checkpoint, load_generator, load_heads, pretrained_heads
from bertsmith.pretraining.updates import PretrainUpdates, TextPlan, TokenCorpus
from bertsmith.pretraining.vocabulary import VocabularyFacts

__all__ = [
    "OBJECTIVES",
    "Corrupted",
    "Corruption",
    "Losses",
    "Objective",
    "Passage",
    "PretrainBatch",
    "PretrainUpdates",
    "Pretrainer",
    "Replace",
    "Select",
    "TextPlan",
    "TokenCorpus",
    "Variant",
    "VocabularyFacts",
    "generator_checkpoint",
    "heldout_metrics",
    "load_generator",
    "load_heads",
    "pretrained_heads",
]
