"""Vectors -> neighbours: index on disk, semantic and hybrid search, mining of pairs, clusters and negatives."""

from bertsmith.search.answering import Hit, query_vectors, search
from bertsmith.search.building import add, build, require_model
from bertsmith.search.deleting import Deleted, compact, delete
from bertsmith.search.entries import Entry, Id
from bertsmith.search.index import Mask, VectorIndex
from bertsmith.search.layout import MANIFEST, Manifest, ModelNote, read_manifest, verify
from bertsmith.search.mining import ClusterSettings, Pair, PairSettings, clusters, mine_pairs
from bertsmith.search.negatives import Mined, NegativeSettings, mine_negatives
from bertsmith.search.protocols import PairScorer, TextEmbedder
from bertsmith.search.scanning import Neighbours, Scanned, nearest
from bertsmith.search.settings import (
    Auto,
    Exact,
    Hnsw,
    IndexSettings,
    Ivf,
    Reciprocal,
    SearchSettings,
    Weighted,
    Words,
)

__all__ = [
    "MANIFEST",
    "Auto",
    "ClusterSettings",
    "Deleted",
    "Entry",
    "Exact",
    "Hit",
    "Hnsw",
    "Id",
    "IndexSettings",
    "Ivf",
    "Manifest",
    "Mask",
    "Mined",
    "ModelNote",
    "NegativeSettings",
    "Neighbours",
    "Pair",
    "PairScorer",
    "PairSettings",
    "Reciprocal",
    "Scanned",
    "SearchSettings",
    "TextEmbedder",
    "VectorIndex",
    "Weighted",
    "Words",
    "add",
    "build",
    "clusters",
    "compact",
    "delete",
    "mine_negatives",
    "mine_pairs",
    "nearest",
    "query_vectors",
    "read_manifest",
    "require_model",
    "search",
    "verify",
]
