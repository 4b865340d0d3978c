"""Texts as vectors: what a sentence encoder computes, whitening, encoding of any number of texts."""

from bertsmith.sentences.encoding import Embedder, Encoded, TextCounts, TextReader, encode_stream
from bertsmith.sentences.model import Projector, SentenceEmbedder, SideBySide
from bertsmith.sentences.task import POOLINGS, Projection, SentenceTask, features_named, pooling_name
from bertsmith.sentences.whitening import Whitening, WhiteningFit, WhiteningNumbers

__all__ = [
    "POOLINGS",
    "Embedder",
    "Encoded",
    "Projection",
    "Projector",
    "SentenceEmbedder",
    "SentenceTask",
    "SideBySide",
    "TextCounts",
    "TextReader",
    "Whitening",
    "WhiteningFit",
    "WhiteningNumbers",
    "encode_stream",
    "features_named",
    "pooling_name",
]
