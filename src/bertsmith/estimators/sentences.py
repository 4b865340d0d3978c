"""Texts to vectors."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from bertsmith.errors import UserError
from bertsmith.estimators.inputs import plain, strings
from bertsmith.estimators.items import items_of, usual_method
from bertsmith.estimators.parameters import Parameters
from bertsmith.metrics import normed
from bertsmith.recipes import (
    ContrastResult,
    SentenceBundle,
    contrast,
    contrast_recipe,
    fit_whitening,
    is_sentence_encoder,
    load_sentence_bundle,
    make_item_splits,
    save_sentence_bundle,
)
from bertsmith.recipes.encoding import EncodingWatch
from bertsmith.sentences import TextCounts, features_named
from bertsmith.training import DeviceName, Precision, progress_listener, resolve_device

Vectors = Float[np.ndarray, "texts width"]


class SentenceEncoder(Parameters):
    """A vector for every text: numpy, float32, in the order of the texts.

    `model` is a sentence encoder (ours or of sentence-transformers) or any encoder: a bundled name, a folder, a
    hub id. What is None stays as the model says; an encoder that does not say how it pools gets `first-last-avg`,
    with a warning. `notes_` are what was found when it was loaded.
    `counts_` tells what was read last: texts, tokens, how many were shortened, blank or unknown.

    >>> SentenceEncoder("path").encode(["...", "..."], normalize=True)  # doctest: +SKIP
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter here
        self,
        model: str | Path,
        *,
        pooling: str | None = None,
        normalize: bool | None = None,
        dim: int | None = None,
        max_length: int | None = None,
        precision: Precision | None = None,
        device: DeviceName = "auto",
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.normalize = normalize
        self.dim = dim
        self.max_length = max_length
        self.precision = precision
        self.device = device
        self.verbose = verbose

    @property
    def bundle(self) -> SentenceBundle:
        """The encoder itself, loaded when first needed.

        Raises:
            UserError: there is no such model, or a choice does not fit it.
        """
        if not hasattr(self, "_bundle"):
            self._bundle = load_sentence_bundle(
                self.model,
                pooling=self.pooling,
                normalize=self.normalize,
                dim=self.dim,
                max_length=self.max_length,
                precision=self.precision,
            )
            self.notes_ = self._bundle.notes
            if self.pooling is None and not is_sentence_encoder(self.model):
                warnings.warn(f"{self.model} does not say how it pools: {self._bundle.task.pooling}", stacklevel=3)
        return self._bundle

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.bundle.width

    def encode(self, texts: Any, *, normalize: bool | None = None, prompt: str | None = None) -> Vectors:
        """A vector for each text; a blank text is special tokens alone.

        `normalize` as in the constructor, for this call. `prompt` is `query`, `passage`, another prompt of the
        model, or a text to write before each.

        Raises:
            UserError: it is one text instead of many, something is no text, or a vector holds NaN.
        """
        given = strings(texts, name="texts", blanks=True)
        parts = list(self.stream(given, normalize=normalize, prompt=prompt))
        return np.concatenate([np.zeros((0, self.width), dtype=np.float32), *parts])

    def stream(
        self, texts: Iterable[str], *, normalize: bool | None = None, prompt: str | None = None
    ) -> Iterator[Vectors]:
        """The same for any number of texts in constant memory, some thousand vectors at a time.

        Raises:
            UserError: a vector holds NaN.
        """
        bundle = self.bundle
        if normalize is not None and normalize != bundle.task.normalize:
            bundle = bundle.but(normalize=normalize)
        watch = EncodingWatch(print if self.verbose else _silent)
        self.counts_ = TextCounts()
        made = bundle.stream(texts, device=resolve_device(self.device), prompt=prompt)
        for vectors in watch.parts(made):
            self.counts_ = watch.counts
            yield vectors

    def similarity(self, first: Any, second: Any) -> Float[np.ndarray, "first second"]:
        """How similar every text (or vector) of the one is to every one of the other: cosine, or dot where trained so.

        Raises:
            UserError: as `encode`.
        """
        one, other = (self._vectors(side) for side in (first, second))
        products: np.ndarray = one @ other.T
        return products

    def similarity_pairwise(self, first: Any, second: Any) -> Float[np.ndarray, "pairs"]:
        """How similar the texts (or vectors) of each pair are.

        Raises:
            UserError: as `encode`, or there are not as many of the one as of the other.
        """
        one, other = (self._vectors(side) for side in (first, second))
        if len(one) != len(other):
            raise UserError(f"{len(one)} first texts but {len(other)} second ones; pairs have both", code="uneven")
        return np.asarray(np.einsum("pd,pd->p", one, other))

    def fit(  # noqa: PLR0913 - what a user may want to say of a run
        self,
        items: Any,
        labels: Any = None,
        *,
        method: str | None = None,
        dev: tuple[Any, Any] | Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        settings: Sequence[str] = (),
        seed: int = 0,
    ) -> "SentenceEncoder":
        """Learn from texts, pairs, triplets or groups; `dev` (pairs, numbers) chooses the best weights.

        Without a method: `simcse` for texts, `ranking` for pairs, `cosent` for pairs with numbers, `sbert` for pairs
        with other labels, `simcse-supervised` for triplets; `simbert` learns from groups. `settings` reach every
        other field of the recipe (`["loss.scale=30", "dropout=0.3"]`); `result_` tells how it went. What this
        encoder was told of pooling, length, norm and dimensions holds while it learns or afterwards.

        Raises:
            UserError: there is no such method, the items do not fit it, or the checkpoint cannot be had.
        """
        rows, given = plain(items), {"start": {"model": str(self.model)}, "seed": seed, "device": self.device}
        known = None if labels is None else plain(labels)
        chosen = method or usual_method(rows, known)
        given["budget"] = {} if epochs is None else {"epochs": epochs}
        given["batches"] = {} if batch_size is None else {"batch_size": batch_size}
        given["optimizer"] = {} if lr is None else {"lr": lr}
        if self.pooling is not None:
            given["features"] = features_named(self.pooling).model_dump()
        if self.max_length is not None:
            given["max_length"] = self.max_length
        recipe = contrast_recipe(method=chosen, given=given, settings=settings)
        train = items_of(rows, known, method=chosen, name="train")
        held = None if dev is None else items_of(*_with_labels(dev), method=None, name="dev")
        splits = make_item_splits(train, recipe.stages[0], dev=held, seed=seed)
        listeners = (progress_listener(),) if self.verbose else ()
        self.result_: ContrastResult = contrast(recipe, splits=[splits], listeners=listeners)
        told = {"normalize": self.normalize, "dim": self.dim, "max_length": self.max_length}
        made = self.result_.bundle.but(**{name: value for name, value in told.items() if value is not None})
        self._bundle = made if self.precision is None else replace(made, precision=self.precision)
        self.notes_ = self.result_.notes
        return self

    def fit_whitening(self, texts: Any, *, dims: int | None = None) -> "SentenceEncoder":
        """Whiten all vectors from now on, by the vectors of these texts; `dims` keeps so many dimensions.

        Raises:
            UserError: the vectors differ in fewer directions than `dims`.
        """
        device = resolve_device(self.device)
        numbers = fit_whitening(self.bundle, strings(texts, name="texts", blanks=True), dims=dims, device=device)
        self._bundle = self.bundle.whitened(numbers)
        return self

    def save(self, folder: str | Path) -> tuple[str, ...]:
        """Write the encoder so that bertsmith, sentence-transformers and transformers read it; returns notes.

        Raises:
            UserError: the folder cannot be written.
        """
        return save_sentence_bundle(replace(self.bundle, notes=()), Path(folder))

    @classmethod
    def load(cls, folder: str | Path, *, device: DeviceName = "auto") -> "SentenceEncoder":
        """Read an encoder at once, instead of when it is first needed.

        Raises:
            UserError: there is none, or it is damaged.
        """
        encoder = cls(folder, device=device)
        _ = encoder.bundle
        return encoder

    def _vectors(self, side: Any) -> Vectors:
        """Texts, or vectors, ready to be multiplied."""
        given = np.asarray(side) if hasattr(side, "ndim") else None
        vectors = given if given is not None and given.ndim == 2 else self.encode(side)
        return vectors if self.bundle.task.similarity == "dot" else normed(vectors)


def _silent(text: str) -> None:
    """Nobody listens."""


def _with_labels(dev: Any) -> tuple[Any, Any]:
    """Pairs and their numbers, or items without: triplets and groups are measured as they are."""
    if isinstance(dev, tuple) and len(dev) == 2 and not isinstance(dev[0], str):
        pairs, numbers = dev
        if len(plain(numbers)) and not isinstance(plain(numbers)[0], str | list | tuple):
            return pairs, numbers
    return dev, None
