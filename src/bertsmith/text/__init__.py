"""Characters -> token ids: vocabularies, tokenizers, words."""

from bertsmith.text.definition import Level
from bertsmith.text.surgery import (
    Respelled,
    count_tokens,
    extend_vocabulary,
    frequent_words,
    prune_vocabulary,
    respell,
)
from bertsmith.text.tokenized import SpecialTokens, Tokenized
from bertsmith.text.tokenizer import Tokenizer, unknown_notes, unknown_share
from bertsmith.text.vocabulary import train_vocabulary
from bertsmith.text.words import ChineseSegmenter, LatinSegmenter, Segmenter, SegmenterConfig, word_spans

__all__ = [
    "ChineseSegmenter",
    "LatinSegmenter",
    "Level",
    "Respelled",
    "Segmenter",
    "SegmenterConfig",
    "SpecialTokens",
    "Tokenized",
    "Tokenizer",
    "count_tokens",
    "extend_vocabulary",
    "frequent_words",
    "prune_vocabulary",
    "respell",
    "train_vocabulary",
    "unknown_notes",
    "unknown_share",
    "word_spans",
]
