"""A linear model of the n-grams of a text or pair, which answers beside the encoder.

Words that decide a topic are learned from few texts by a linear model, and hardly by a small encoder; what needs order
and context is the other way round. Linear models of n-grams are hard to beat (Wang & Manning 2012, ACL, "Baselines
and Bigrams"); joined with a deep model they make up for what it lacks (Cheng et al. 2016, arXiv 1606.07792). Here both
are trained apart, and their probabilities multiplied, each to a power that dev decides (a logarithmic pool).
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.config import Config
from bertsmith.finetuning.ngram_counts import MOST_IDS_OF_TWO, Found, Sides, found_in, silent
from bertsmith.finetuning.reading import Reading

MOST_WEIGHTS, MOST_WEIGHTS_OF_PAIRS = 2**22, 2**20
"""Weights of the linear model: features times labels; the most frequent are taken. Pairs have more features that few
others share, and are fitted several times (LOG.md)."""

FEW_TEXTS = 10_000
"""Below, a run that a single text has is worth its place (LOG.md)."""

STRENGTH, STRENGTHS_OF_PAIRS = 1.0, (0.3, 1.0)
"""How much training texts are trusted. Of pairs dev decides: the less, the less two texts tell by what they share
(LOG.md)."""

SHARPNESS = 4.0
"""What scores are multiplied by to be those of probabilities: they want 1 for the true label and -1 for the others."""

TEXTS_AT_ONCE = 4096
"""Texts whose n-grams are counted together."""

SEARCH_STEPS = 200
"""Steps of the search at most: 45,000 titles are answered no better after more (LOG.md)."""

Longest = Annotated[PositiveInt, Field(le=3)]


class Ngrams(Config):
    """What to fit: all runs of one to `longest` tokens that at least `min_texts` texts have, in TF-IDF.

    A linear support vector machine a label; a larger `strength` trusts the training texts more (scikit-learn's C).
    Without `min_texts` every run counts where there are fewer than 10,000 texts, from there on those of two texts.
    `exchanged`, for pairs, is how long the runs are that may stand in place of each other. Without `strength` it is 1;
    for pairs, where either is not given, dev decides between 0.3 and 1, and between single tokens and runs of two.
    """

    longest: Longest = 3
    min_texts: PositiveInt | None = None
    strength: PositiveFloat | None = None
    exchanged: Literal[1, 2] | None = None

    @model_validator(mode="after")
    def _exchanged_are_counted(self) -> "Ngrams":
        if (self.exchanged or 1) > self.longest:
            raise ValueError(
                f"exchanged={self.exchanged} is longer than any run that is counted, longest={self.longest}"
            )
        return self

    def choices(self, sides: Sides, *, ids: int) -> Iterator["Ngrams"]:
        """What dev is to decide between; with a vocabulary beyond `MOST_IDS_OF_TWO` runs of two are none of it."""
        if sides == "one":
            yield self.but(strength=self.strength or STRENGTH)
            return
        longest = min(self.longest, 1 if ids > MOST_IDS_OF_TWO else 2)
        for exchanged in range(1, longest + 1) if self.exchanged is None else (self.exchanged,):
            for strength in STRENGTHS_OF_PAIRS if self.strength is None else (self.strength,):
                yield self.but(exchanged=exchanged, strength=strength)

    def least(self, texts: int) -> int:
        """In how many of so many texts a run must be."""
        return self.min_texts or (1 if texts < FEW_TEXTS else 2)


class NgramPart(Config):
    """What stands in a trained task: how it reads, the size of its table, and to which powers both are raised.

    `ids` is the size of the vocabulary, `powers` those of the encoder's probabilities and of the n-grams'.
    """

    longest: Longest
    ids: PositiveInt
    features: PositiveInt
    sides: Sides = "one"
    exchanged: Literal[1, 2] = 1
    powers: tuple[NonNegativeFloat, NonNegativeFloat] = (1.0, 1.0)


class Bags(NamedTuple):
    """A sparse matrix by rows: where each begins, and column and value of what stands in them."""

    starts: Int[np.ndarray, "rows"]
    columns: Int[np.ndarray, "entries"]
    values: Float[np.ndarray, "entries"]

    def times(self, matrix: Float[Tensor, "columns width"]) -> Float[Tensor, "rows width"]:
        """The product with a dense matrix, on its device."""
        columns, starts, values = (
            torch.from_numpy(each).to(matrix.device) for each in (self.columns, self.starts, self.values)
        )
        return F.embedding_bag(columns, matrix, starts, mode="sum", per_sample_weights=values)

    def transposed(self, width: int) -> "Bags":
        """Rows and columns changed over; `width` is how many columns there are."""
        rows = np.repeat(np.arange(len(self.starts)), np.diff(np.r_[self.starts, len(self.columns)]))
        order = np.argsort(self.columns, kind="stable")
        starts = np.searchsorted(self.columns[order], np.arange(width))
        return Bags(starts, rows[order], self.values[order])


class NgramScorer(nn.Module):
    """TF-IDF of the known n-grams of a text, scaled to length one, times weights, plus a bias: scores of labels.

    The frequency of an n-gram in a text counts as 1 + ln(frequency). Of two texts, it is what both have, what one has
    alone, and what stands in place of what or differs beside what (`ngram_counts`). It is fitted, not trained by
    gradients: all of it are buffers, and a row of `weight` holds what a feature adds to every label.
    """

    keys: Tensor
    idf: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, part: NgramPart, outputs: int) -> None:
        super().__init__()
        self.part = part
        self.register_buffer("keys", torch.zeros(part.features, dtype=torch.int64))
        self.register_buffer("idf", torch.zeros(part.features))
        self.register_buffer("weight", torch.zeros(part.features, outputs))
        self.register_buffer("bias", torch.zeros(outputs))

    def forward(self, readings: Sequence[Reading]) -> Float[Tensor, "texts outputs"]:
        """Scores of every text; of one without a known n-gram, the bias."""
        part = self.part
        found = found_in(readings, longest=part.longest, ids=part.ids, sides=part.sides, exchanged=part.exchanged)
        return self.bags(found, len(readings)).times(self.weight) + self.bias

    @torch.inference_mode()
    def chances(self, *views: Sequence[Reading]) -> Float[np.ndarray, "texts outputs"]:
        """The probabilities of every text, some texts at a time; of texts read in several ways the mean."""
        made: Float[np.ndarray, "texts outputs"] = np.mean([self._chances(readings) for readings in views], axis=0)
        return made

    def _chances(self, readings: Sequence[Reading]) -> Float[np.ndarray, "texts outputs"]:
        parts = [readings[start : start + TEXTS_AT_ONCE] for start in range(0, len(readings), TEXTS_AT_ONCE)]
        none = np.zeros((0, len(self.bias)), dtype=np.float32)
        return np.concatenate([none, *((SHARPNESS * self(part)).softmax(1).cpu().numpy() for part in parts)])

    def bags(self, found: Found, texts: int) -> Bags:
        """The rows of the matrix of these texts, or pairs."""
        keys, idf = self.keys.cpu().numpy(), self.idf.cpu().numpy()
        places = np.minimum(np.searchsorted(keys, found.keys), len(keys) - 1)
        known = keys[places] == found.keys
        rows, columns = found.rows[known], places[known]
        values = (1 + np.log(found.counts[known])) * idf[columns]
        norms = np.sqrt(np.bincount(rows, values**2))
        values = (values / norms[rows]).astype(np.float32)
        return Bags(np.searchsorted(rows, np.arange(texts)), columns, values)


def fitted_ngrams(
    readings: Sequence[Reading],
    labels: Int[np.ndarray, "texts"],
    *,
    config: Ngrams,
    ids: int,
    weights: Sequence[float],
    sides: Sides = "one",
) -> NgramScorer | None:
    """Fit the linear model to texts, or pairs; `weights` is how much one of each label counts.

    The loss is convex and the search starts from zero: the same texts always give the same model. An n-gram that every
    text has tells nothing and is left out, and of pairs all that names a token of which the same is true in every pair
    ([CLS], [SEP]). None: no n-gram is left.
    """
    exchanged = config.exchanged or 1
    found = found_in(readings, longest=config.longest, ids=ids, sides=sides, exchanged=exchanged)
    keys, texts = np.unique(found.keys, return_counts=True)
    there = len(readings)
    tells = (texts >= config.least(there)) & (texts < there)
    if sides != "one":
        tells &= ~silent(keys, texts == there, ids=ids)
    telling = np.flatnonzero(tells)
    most = max((MOST_WEIGHTS if sides == "one" else MOST_WEIGHTS_OF_PAIRS) // len(weights), 1)
    kept = np.sort(telling[np.argsort(-texts[telling], kind="stable")[:most]])
    if not len(kept):
        return None
    part = NgramPart(longest=config.longest, ids=ids, features=len(kept), sides=sides, exchanged=exchanged)
    scorer = NgramScorer(part, len(weights))
    scorer.keys.copy_(torch.from_numpy(keys[kept]))
    scorer.idf.copy_(torch.from_numpy(np.log((1 + there) / (1 + texts[kept])) + 1))
    bags = scorer.bags(found, len(readings))
    truth = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    _minimise(scorer, bags, truth, config.strength or STRENGTH, weights)
    return scorer


@torch.no_grad()
def _minimise(scorer: NgramScorer, bags: Bags, truth: Tensor, strength: float, weights: Sequence[float]) -> None:
    """One support vector machine a label against all others (Fan et al. 2008, JMLR 9, "LIBLINEAR", §2.2), by L-BFGS.

    The loss is max(0, 1 - score)² for the true label and max(0, 1 + score)² for every other, weighted and summed over
    texts, plus |weight|² / (2 · strength).
    """
    bias = scorer.bias.requires_grad_()
    weight = scorer.weight.requires_grad_()
    importance = torch.tensor(weights)[truth][:, None]
    side = torch.full((len(truth), len(bias)), -1.0)
    side[torch.arange(len(truth)), truth] = 1.0
    columns, texts = bags.transposed(len(weight)), len(truth)
    search = torch.optim.LBFGS(
        [weight, bias], max_iter=SEARCH_STEPS, history_size=20, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    @torch.no_grad()
    def closure() -> Tensor:
        lacking = (1 - side * (bags.times(weight) + bias)).clamp(min=0)
        slope = -2 * side * lacking * importance
        weight.grad = (columns.times(slope) + weight / strength) / texts
        bias.grad = slope.sum(0) / texts
        return ((lacking.square() * importance).sum() + weight.square().sum() / (2 * strength)) / texts

    search.step(closure)  # type: ignore[no-untyped-call]
    for each in (weight, bias):
        each.requires_grad = False
        each.grad = None
