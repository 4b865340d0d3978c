"""Choices of an index and of a search: how neighbours are found, what is stored, how answers are ordered."""

from typing import Annotated, Literal

from pydantic import Field

from bertsmith.config import Config

Codes = Literal["none", "int8"]
"""What is scanned: the vectors themselves, or one byte a number; the best of those are scored again exactly."""

Positive = Annotated[int, Field(gt=0)]


class Exact(Config):
    """Every vector is compared: nothing to install, nothing missed."""

    kind: Literal["exact"] = "exact"
    codes: Codes = "none"


class Hnsw(Config):
    """A graph of near neighbours, walked greedily (Malkov and Yashunin 2018, arXiv 1603.09320); needs faiss.

    `links` a vector and layer (M), `build_effort` candidates while building (efConstruction). How many
    candidates a search keeps (efSearch) is found when the index is built: the fewest that reach `recall`.
    """

    kind: Literal["hnsw"] = "hnsw"
    links: Annotated[int, Field(ge=4)] = 32
    build_effort: Positive = 100
    codes: Codes = "int8"
    recall: Annotated[float, Field(gt=0.0, le=1.0)] = 0.99


class Ivf(Config):
    """Vectors in cells around centres, few cells searched (Jégou et al. 2011); needs faiss. Quick to build.

    `cells` None: four times the square root of the number of vectors. How many cells a search visits
    (nprobe) is found when the index is built: the fewest that reach `recall`.
    """

    kind: Literal["ivf"] = "ivf"
    cells: Positive | None = None
    codes: Codes = "int8"
    recall: Annotated[float, Field(gt=0.0, le=1.0)] = 0.99


class Auto(Config):
    """Exact up to so many vectors, beyond that HNSW, where faiss is installed."""

    kind: Literal["auto"] = "auto"
    exact_up_to: Positive = 200_000


Chosen = Annotated[Exact | Hnsw | Ivf, Field(discriminator="kind")]
Kind = Annotated[Exact | Hnsw | Ivf | Auto, Field(discriminator="kind")]


class Words(Config):
    """An index of words beside that of vectors, for BM25 (Robertson and Zaragoza 2009, in Lucene's form).

    `units` of Chinese: characters two by two, or words by the dictionary of jieba. Everything else is
    cut into words. `k1` bounds what repetition earns, `b` how much a long text is held against it.
    """

    units: Literal["bigrams", "words"] = "bigrams"
    k1: Annotated[float, Field(ge=0.0)] = 1.2
    b: Annotated[float, Field(ge=0.0, le=1.0)] = 0.75


class IndexSettings(Config):
    """How an index is made. `score` cosine normalises every vector, dot takes them as they are."""

    neighbours: Kind = Auto()
    vectors: Literal["float32", "float16"] = "float32"
    score: Literal["cosine", "dot"] = "cosine"
    words: Words | None = None
    compact_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3
    """Share of deleted rows from which on an index is rewritten without them."""


class Reciprocal(Config):
    """The sum of 1 / (k + rank) over both lists (Cormack et al. 2009): ranks count, scores do not."""

    kind: Literal["reciprocal"] = "reciprocal"
    k: Positive = 60


class Weighted(Config):
    """A weighted mean of both scores, each brought to 0..1 among the candidates of the query."""

    kind: Literal["weighted"] = "weighted"
    vectors: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5


Fusion = Annotated[Reciprocal | Weighted, Field(discriminator="kind")]


class SearchSettings(Config):
    """How a query is answered.

    `by` vectors, words (BM25) or both (hybrid, joined by `fusion`). `depth` candidates of each list are
    joined, and as many are read again by a pair classifier where there is one. `rescore` times `top`
    candidates of a coded or approximate index are scored exactly.
    """

    top: Positive = 10
    by: Literal["vectors", "words", "hybrid"] = "vectors"
    fusion: Fusion = Reciprocal()
    depth: Positive = 100
    rescore: Positive = 10


USUAL_INDEX, USUAL_SEARCH, USUAL_WORDS = IndexSettings(), SearchSettings(), Words()
