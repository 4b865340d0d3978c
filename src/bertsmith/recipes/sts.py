"""Semantic textual similarity: how the cosines of pairs follow the scores people gave them.

In the "all" setting of SimCSE (Gao et al. 2021, arXiv 2104.08821 appendix B): the parts of a set are
joined and one Spearman correlation is computed, without a regressor.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data import Columns, read_texts
from bertsmith.errors import UserError
from bertsmith.metrics import (
    alignment,
    correlation_intervals,
    correlation_metrics,
    normed,
    spearman,
    uniformity,
)
from bertsmith.metrics.bootstrap import RESAMPLES
from bertsmith.recipes.encoding import Whiten
from bertsmith.recipes.schema import merged, read_yaml
from bertsmith.recipes.sentence_bundle import SentenceBundle
from bertsmith.recipes.sentence_loading import load_sentence_bundle
from bertsmith.recipes.sts_result import StsResult, StsScore
from bertsmith.recipes.sts_sets import ScoredPairs, read_pairs
from bertsmith.recipes.watching import Say, silent
from bertsmith.sentences import SideBySide, TextCounts, WhiteningFit, WhiteningNumbers, encode_stream
from bertsmith.training import DeviceName, Precision, compute_dtype, resolve_device

MOST_SPREAD = 5000
"""Texts on which uniformity is measured, drawn by the seed where there are more: it looks at all pairs."""

Vectors = Float[np.ndarray, "texts width"]


class StsRecipe(Config):
    """Which models are measured on which pairs, and how vectors are made.

    Several `models` (seeds of one method, say) are averaged. Without `poolings` each model pools as it says.
    `prompt` and `prompt_pair` are written before the first and the second text of a pair.
    """

    models: Annotated[tuple[str, ...], Field(min_length=1)]
    data: Annotated[tuple[Path, ...], Field(min_length=1)]
    poolings: tuple[str, ...] = ()
    whiten: Whiten | None = None
    dim: PositiveInt | None = None
    prompt: str | None = None
    prompt_pair: str | None = None
    max_length: PositiveInt | None = None
    precision: Precision | None = None
    columns: Columns = Columns()
    encoding: str = "utf-8"
    device: DeviceName = "auto"
    resamples: PositiveInt = RESAMPLES
    seed: NonNegativeInt = 0


def sts_recipe(*, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()) -> StsRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: no model or no data is named, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    chosen = with_settings(merged(below, given), settings)
    for name, option in (("models", "--model MODEL..."), ("data", "--data FILE...")):
        if not chosen.get(name):
            raise UserError(f"no {name}: give {option}", code="bad_usage")
    return parse_config(StsRecipe, chosen, where=str(file) if file else None)


def evaluate_sts(recipe: StsRecipe, *, say: Say = silent) -> StsResult:
    """Measure every model on every set with every pooling; each text is encoded once a model.

    Raises:
        UserError: a model or a file cannot be read, or a vector holds NaN.
    """
    sets = [read_pairs(path, recipe.columns, encoding=recipe.encoding) for path in recipe.data]
    notes = [f"{each.name}: {note}" if each.name not in note else note for each in sets for note in each.notes]
    if any(each.partial for each in sets) and len(sets) > 1:
        notes.append("a set is partial, so that the mean is none to compare with published ones")
    if recipe.whiten is not None and not recipe.whiten.on:
        notes.append("transductive: the whitening is fitted on the texts it is measured on")
    counts, scores = TextCounts(), []
    for model in recipe.models:
        variants = _variants(recipe, model)
        notes += [note for variant in variants for note in variant.notes if note not in notes]
        measured = [variant.bare() if recipe.whiten else variant for variant in variants]
        fitted = _fitted_elsewhere(recipe, measured)
        for number, pairs in enumerate(sets, start=1):
            say(f"{model}: {pairs.name} ({number} of {len(sets)}, {len(pairs.scores):,} pairs)")
            found, read = _scored(recipe, model, measured, pairs, fitted)
            scores += found
            counts += read
    notes += counts.notes(variants[0].max_length)
    for note in notes:
        say(note)
    return StsResult(tuple(scores), counts, tuple(notes))


def _variants(recipe: StsRecipe, model: str) -> list[SentenceBundle]:
    """The model with each pooling, one encoder for all."""
    base = load_sentence_bundle(
        model,
        pooling=recipe.poolings[0] if recipe.poolings else None,
        dim=None if recipe.whiten else recipe.dim,
        max_length=recipe.max_length,
        precision=recipe.precision,
    )
    changes = {} if recipe.whiten or recipe.dim is None else {"dim": recipe.dim}
    others = [replace(base.pooled_by(name), notes=()) for name in recipe.poolings[1:]]
    return [base, *(each.but(**changes) if changes else each for each in others)]


def _scored(
    recipe: StsRecipe,
    model: str,
    variants: Sequence[SentenceBundle],
    pairs: ScoredPairs,
    fitted: Sequence[WhiteningNumbers],
) -> tuple[list[StsScore], TextCounts]:
    """The scores of one set."""
    first, counts = _encoded(recipe, variants, pairs.texts, recipe.prompt)
    second = first
    if recipe.prompt_pair != recipe.prompt:
        second, more = _encoded(recipe, variants, pairs.texts, recipe.prompt_pair)
        counts += more
    scores = []
    for place, variant in enumerate(variants):
        sides, numbers = (first[place], second[place]), None
        if recipe.whiten is not None:
            numbers = fitted[place] if fitted else _fitted(recipe.whiten, pairs, sides)
            sides = (numbers(sides[0])[:, : recipe.dim], numbers(sides[1])[:, : recipe.dim])
        scores.append(_score(recipe, model, variant, pairs, sides, numbers))
    return scores, counts


def _encoded(
    recipe: StsRecipe, variants: Sequence[SentenceBundle], texts: Sequence[str], prompt: str | None
) -> tuple[list[Vectors], TextCounts]:
    """The vectors of texts under every variant, in one pass of the encoder."""
    device, base = resolve_device(recipe.device), variants[0]
    if len(variants) == 1:
        encoded = base.encode(texts, device=device, prompt=prompt)
        return [encoded.vectors], encoded.counts
    embedder = SideBySide([variant.embedder for variant in variants]).to(device).eval()
    dtype = compute_dtype(base.precision, device)
    parts = list(encode_stream(embedder, base.reader(prompt), texts, device=device, dtype=dtype))
    together = np.concatenate([part.vectors for part in parts])
    splits = np.cumsum(embedder.widths)[:-1].tolist()
    return np.split(together, splits, axis=1), sum((part.counts for part in parts), TextCounts())


def _fitted(whiten: Whiten, pairs: ScoredPairs, sides: tuple[Vectors, Vectors]) -> WhiteningNumbers:
    """The whitening of a set: of all its texts, each as often as it stands there."""
    fit = WhiteningFit()
    fit.add(sides[0][pairs.first])
    fit.add(sides[1][pairs.second])
    return fit.numbers(whiten.dims)


def _fitted_elsewhere(recipe: StsRecipe, variants: Sequence[SentenceBundle]) -> list[WhiteningNumbers]:
    """The whitenings of other texts, one a variant; none if each set has its own."""
    if recipe.whiten is None or not recipe.whiten.on:
        return []
    texts = [text for path in recipe.whiten.on for text in _texts_of(path, recipe)]
    fits = []
    for vectors in _encoded(recipe, variants, texts, recipe.prompt)[0]:
        fit = WhiteningFit()
        fit.add(vectors)
        fits.append(fit.numbers(recipe.whiten.dims))
    return fits


def _texts_of(path: Path, recipe: StsRecipe) -> Iterator[str]:
    """Both sides of scored pairs, or the texts of any other file."""
    try:
        pairs = read_pairs(path, recipe.columns, encoding=recipe.encoding)
    except UserError:
        yield from read_texts(path, recipe.columns, encoding=recipe.encoding)
    else:
        yield from (pairs.texts[place] for place in (*pairs.first, *pairs.second))


def _score(
    recipe: StsRecipe,
    model: str,
    variant: SentenceBundle,
    pairs: ScoredPairs,
    sides: tuple[Vectors, Vectors],
    numbers: WhiteningNumbers | None,
) -> StsScore:
    """Correlations with intervals, and how the vectors lie."""
    by_cosine = variant.task.similarity == "cosine" or numbers is not None
    one, two = (normed(side) if by_cosine else side for side in sides)
    first, second = one[pairs.first], two[pairs.second]
    cosines = np.einsum("pd,pd->p", first, second, dtype=np.float64)
    metrics = correlation_metrics(pairs.scores, cosines)
    intervals = correlation_intervals(pairs.scores, cosines, resamples=recipe.resamples, seed=recipe.seed)
    drawn = np.random.default_rng(recipe.seed).permutation(len(one))[:MOST_SPREAD]
    return StsScore(
        model=model,
        data=pairs,
        pooling=variant.task.pooling,
        whitening=None if numbers is None else numbers.kept,
        transductive=numbers is not None and recipe.whiten is not None and not recipe.whiten.on,
        spearman=metrics["spearman"],
        pearson=metrics["pearson"],
        interval=intervals["spearman"],
        alignment=alignment(first[pairs.positives], second[pairs.positives]),
        uniformity=uniformity(one[drawn]),
        subsets=_by_subset(pairs, cosines),
        published=pairs.published(variant.task.pooling),
        cosines=cosines,
    )


def _by_subset(pairs: ScoredPairs, cosines: Float[np.ndarray, "pairs"]) -> dict[str, tuple[int, float]]:
    if pairs.subsets is None:
        return {}
    names = np.array(pairs.subsets)
    rows = {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(pairs.subsets)}
    return {name: (len(some), spearman(pairs.scores[some], cosines[some])) for name, some in rows.items()}
