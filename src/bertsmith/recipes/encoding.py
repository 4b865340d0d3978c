"""From a file of texts to a file of vectors, of any number of them, in constant memory."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveInt

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data import Columns, read_texts, require_npy, scratch_vectors, vector_file
from bertsmith.errors import UserError
from bertsmith.recipes.schema import merged, read_yaml
from bertsmith.recipes.sentence_bundle import SentenceBundle
from bertsmith.recipes.sentence_loading import load_sentence_bundle
from bertsmith.recipes.watching import Say, silent
from bertsmith.sentences import Encoded, TextCounts, WhiteningFit, WhiteningNumbers
from bertsmith.sentences.encoding import INFERENCE_TOKENS, Vectors
from bertsmith.training import DeviceName, Precision, resolve_device

EVERY = 10.0
"""Seconds between two lines of progress."""


class Whiten(Config):
    """A whitening: how many dimensions are kept (None: all), and the texts it is fitted on (None: those encoded)."""

    dims: PositiveInt | None = None
    on: tuple[Path, ...] = ()


class EncodeRecipe(Config):
    """How texts become vectors. What is None stays as the model says.

    `prompt` is `query`, `passage`, another name the model knows, or a text of one's own. `lines`: the input is
    plain text, a text a line.
    """

    model: str = ""
    pooling: str | None = None
    normalize: bool | None = None
    whiten: Whiten | None = None
    dim: PositiveInt | None = None
    prompt: str | None = None
    max_length: PositiveInt | None = None
    max_tokens: PositiveInt = INFERENCE_TOKENS
    precision: Precision | None = None
    columns: Columns = Columns()
    encoding: str = "utf-8"
    lines: bool = False
    device: DeviceName = "auto"

    def load(self) -> SentenceBundle:
        """The sentence encoder, without a whitening that is yet to be fitted.

        Raises:
            UserError: as `load_sentence_bundle`.
        """
        if not self.model:
            raise UserError("no model: give --model", code="bad_usage")
        return load_sentence_bundle(
            self.model,
            pooling=self.pooling,
            normalize=self.normalize,
            dim=None if self.whiten else self.dim,
            max_length=self.max_length,
            precision=self.precision,
        )

    def finished(self, bundle: SentenceBundle) -> SentenceBundle:
        """A whitened encoder with the cut asked for."""
        return bundle if self.dim is None else bundle.but(dim=self.dim)

    def texts(self, path: Path) -> Iterator[str]:
        """The texts of a file."""
        return read_texts(path, self.columns, encoding=self.encoding, lines=self.lines)


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """What was written, by which encoder (with its whitening, if one was fitted), and what was read."""

    bundle: SentenceBundle
    counts: TextCounts
    seconds: float
    whitening: WhiteningNumbers | None = None
    notes: tuple[str, ...] = ()


def encode_recipe(*, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()) -> EncodeRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    below = read_yaml(file) if file else {}
    return parse_config(EncodeRecipe, with_settings(merged(below, given), settings), where=str(file) if file else None)


def encode_file(recipe: EncodeRecipe, source: Path, out: Path, *, say: Say = silent) -> EncodeResult:
    """Write the vectors of the texts of `source` to `out` (.npy, float32), in their order.

    Without other texts to fit a whitening on, it is fitted on those encoded, whose vectors then wait on the
    disk beside `out` until all are there.

    Raises:
        UserError: the model, the texts or the place cannot be had, or a vector holds NaN.
    """
    require_npy(out)
    bundle, numbers, watch = recipe.load(), None, EncodingWatch(say)
    for note in bundle.notes:
        say(note)
    device = resolve_device(recipe.device)
    if recipe.whiten is not None and recipe.whiten.on:
        others = chain.from_iterable(recipe.texts(path) for path in recipe.whiten.on)
        numbers = fit_whitening(bundle, others, dims=recipe.whiten.dims, device=device, prompt=recipe.prompt)
        bundle = recipe.finished(bundle.whitened(numbers))
    texts = recipe.texts(source)

    def parts(encoder: SentenceBundle) -> Iterator[Vectors]:
        made = encoder.stream(texts, device=device, prompt=recipe.prompt, max_tokens=recipe.max_tokens)
        return watch.parts(made)

    if recipe.whiten is not None and numbers is None:
        bundle, numbers = _by_themselves(recipe, bundle, parts, out)
    else:
        with vector_file(out, bundle.width) as sink:
            for vectors in parts(bundle):
                sink.add(vectors)
    notes = watch.counts.notes(bundle.max_length) + _whitening_notes(numbers)
    for note in notes:
        say(note)
    return EncodeResult(bundle, watch.counts, watch.seconds, numbers, (*bundle.notes, *notes))


def fit_whitening(
    bundle: SentenceBundle, texts: Iterable[str], *, dims: int | None, device: torch.device, prompt: str | None = None
) -> WhiteningNumbers:
    """Fit a whitening on the vectors of texts, in constant memory; `bundle.whitened` takes it.

    Raises:
        UserError: the vectors do not differ in as many directions as dimensions are asked for.
    """
    fit = WhiteningFit()
    for part in bundle.bare().stream(texts, device=device, prompt=prompt):
        fit.add(part.vectors)
    return fit.numbers(dims)


def _by_themselves(
    recipe: EncodeRecipe,
    bundle: SentenceBundle,
    parts: Callable[[SentenceBundle], Iterator[Vectors]],
    out: Path,
) -> tuple[SentenceBundle, WhiteningNumbers]:
    """Encode all, fit the whitening on that, and write what it makes of it."""
    assert recipe.whiten is not None
    fit, bare = WhiteningFit(), bundle.bare()
    with scratch_vectors(out, bare.width) as scratch:
        for vectors in parts(bare):
            fit.add(vectors)
            scratch.add(vectors)
        numbers = fit.numbers(recipe.whiten.dims)
        bundle = recipe.finished(bundle.whitened(numbers))
        embedder = bundle.embedder.to("cpu")
        with vector_file(out, bundle.width) as sink, torch.inference_mode():
            for vectors in scratch.parts():
                sink.add(embedder.settle(torch.from_numpy(vectors)).numpy())
    return bundle, numbers


def _whitening_notes(numbers: WhiteningNumbers | None) -> tuple[str, ...]:
    if numbers is None:
        return ()
    return (
        f"whitening fitted on {numbers.vectors:,} texts: {numbers.kept} of {len(numbers.mean)} dimensions kept, "
        f"the vectors differ in {numbers.rank}",
    )


class EncodingWatch:
    """Counts what is encoded, and says every few seconds how far it is."""

    def __init__(
        self, say: Say = silent, *, every: float = 10.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.counts = TextCounts()
        self.seconds = 0.0
        self._say, self._every, self._clock = say, every, clock

    def parts(self, made: Iterable[Encoded]) -> Iterator[Vectors]:
        """The vectors of each part, as it comes."""
        began = told = self._clock()
        for part in made:
            self.counts += part.counts
            now = self._clock()
            self.seconds = now - began
            if now - told >= EVERY:
                told = now
                self._say(f"{self.counts.texts:,} texts · {self.counts.texts / self.seconds:,.0f} texts/s")
            yield part.vectors
