"""How a corpus becomes training texts, a pure function of (seed, epoch, row)."""

from bertsmith.pretraining.arrangement.configs import (
    Arrangement,
    Block,
    DocumentSentences,
    FullSentences,
    NextSentence,
    SentenceOrder,
    SourceTarget,
)
from bertsmith.pretraining.arrangement.source import PassageSource

__all__ = [
    "Arrangement",
    "Block",
    "DocumentSentences",
    "FullSentences",
    "NextSentence",
    "PassageSource",
    "SentenceOrder",
    "SourceTarget",
]
