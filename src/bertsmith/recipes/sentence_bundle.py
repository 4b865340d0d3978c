"""A sentence encoder as a folder: Hugging Face's layout, sentence-transformers' layout, and what made it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bertsmith.encoder import Encoder, save_checkpoint
from bertsmith.errors import UserError
from bertsmith.generation import Form, generation_block
from bertsmith.metrics import normed
from bertsmith.recipes.sentence_layout import needs_all_layers, write_layout
from bertsmith.sentences import (
    Encoded,
    SentenceEmbedder,
    SentenceTask,
    TextCounts,
    TextReader,
    WhiteningNumbers,
    encode_stream,
    features_named,
    pooling_name,
)
from bertsmith.sentences.encoding import INFERENCE_TOKENS, Vectors
from bertsmith.text import Tokenizer
from bertsmith.text.shortening import most_tokens
from bertsmith.training import Precision, compute_dtype

SENTENCE_FORMAT = 1
"""Counts up when the block in config.json changes its meaning."""


@dataclass(frozen=True, slots=True)
class SentenceBundle:
    """A sentence encoder with its tokenizer: texts in, vectors out.

    `heads` are what its file holds beside the encoder (a head for masked tokens ...), and are written again;
    `notes` are what was found at the door. `precision` is float32 unless asked otherwise: vectors are compared
    with others that were made elsewhere, on hardware with or without bfloat16. `source` is its name in refusals.
    """

    embedder: SentenceEmbedder
    tokenizer: Tokenizer
    family: str
    precision: Precision = "float32"
    heads: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    form: Form | None = None
    """How it is asked for a next token, if it was trained to write as well (SimBERT)."""
    source: str = "this model"

    @property
    def task(self) -> SentenceTask:
        """What is computed."""
        return self.embedder.task

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.embedder.width

    @property
    def max_length(self) -> int:
        """Tokens read of one text, special tokens and prompt included."""
        return most_tokens(
            self.task.max_length, self.embedder.encoder.config.position.max_positions, setting="max_length"
        )

    def reader(self, prompt: str | None = None) -> TextReader:
        """How texts are read."""
        return TextReader(self.tokenizer, self.max_length, self.task.prompt(prompt))

    def stream(
        self,
        texts: Iterable[str],
        *,
        device: torch.device,
        prompt: str | None = None,
        max_tokens: int = INFERENCE_TOKENS,
    ) -> Iterator[Encoded]:
        """Vectors of any number of texts, some thousand at a time, in constant memory.

        Raises:
            UserError: a vector holds NaN, or the length leaves no room for text.
        """
        return encode_stream(
            self.embedder.to(device).eval(),
            self.reader(prompt),
            texts,
            device=device,
            dtype=compute_dtype(self.precision, device),
            max_tokens=max_tokens,
        )

    def encode(self, texts: Iterable[str], *, device: torch.device, prompt: str | None = None) -> Encoded:
        """Vectors of all texts at once.

        Raises:
            UserError: as `stream`.
        """
        parts = list(self.stream(texts, device=device, prompt=prompt))
        empty = np.zeros((0, self.width), dtype=np.float32)
        counts = sum((part.counts for part in parts), TextCounts())
        return Encoded(np.concatenate([empty, *(part.vectors for part in parts)]), counts)

    def compare(self, first: Vectors, second: Vectors) -> Float[np.ndarray, "texts"]:
        """The similarity of vectors, row by row: the cosine, or the dot product where that was trained."""
        if self.task.similarity == "cosine":
            first, second = normed(first), normed(second)
        return np.asarray(np.einsum("td,td->t", first, second))

    def but(self, **changes: Any) -> "SentenceBundle":
        """The same weights with other choices of the task; what needs weights that are not there is refused.

        Raises:
            UserError: a choice does not fit the vectors.
        """
        task = self.task.but(**changes)
        embedder = SentenceEmbedder(task, self.embedder.encoder)
        fill(embedder, self.embedder.on_top(), where=self.source)
        return replace(self, embedder=embedder.eval())

    def pooled_by(self, name: str) -> "SentenceBundle":
        """With another pooling; what was trained or fitted on top of the stored one is left out, and said.

        Raises:
            UserError: there is no such pooling, or the checkpoint has no pooler for it.
        """
        features, task = features_named(name), self.task
        if features == task.features:
            return self
        lost = [f"{len(task.projections)} dense layer(s)"] if task.projections else []
        lost += ["the whitening"] if task.whitening is not None else []
        lost += [f"the cut to {task.dim} dimensions"] if task.dim is not None else []
        notes = self.notes
        if lost:
            notes += (f"pooling {pooling_name(features)} instead of {task.pooling}: {', '.join(lost)} left out",)
        task = task.but(features=features, projections=(), whitening=None, dim=None)
        embedder = SentenceEmbedder(task, self.embedder.encoder)
        fill(embedder, pooler_tensors(self.heads), where=self.source)
        return replace(self, embedder=embedder.eval(), notes=notes)

    def with_encoder(self, encoder: Encoder) -> "SentenceBundle":
        """Another encoder of the same shape below what stands on top."""
        embedder = SentenceEmbedder(self.task, encoder)
        fill(embedder, self.embedder.on_top(), where=self.source)
        return replace(self, embedder=embedder.eval())

    def bare(self) -> "SentenceBundle":
        """Without whitening, cut and norm: the vectors that a whitening is fitted on."""
        return self.but(whitening=None, dim=None, normalize=False)

    def whitened(self, numbers: WhiteningNumbers) -> "SentenceBundle":
        """With a whitening that was fitted on the vectors of `bare()`."""
        embedder = SentenceEmbedder(self.task.but(whitening=numbers.kept, dim=None), self.embedder.encoder)
        below = {name: value for name, value in self.embedder.on_top().items() if not name.startswith("whitening.")}
        assert embedder.whitening is not None
        embedder.whitening.set(numbers)
        fill(embedder, {**embedder.on_top(), **below}, where=self.source)
        return replace(self, embedder=embedder.eval())


def save_sentence_bundle(bundle: SentenceBundle, folder: Path) -> tuple[str, ...]:
    """Write a folder that bertsmith, sentence-transformers (2 to 6) and, the encoder of it, transformers read.

    Returns what the user should know: what sentence-transformers cannot compute, it refuses.

    Raises:
        UserError: the folder cannot be written.
    """
    embedder = bundle.embedder
    pooler = embedder.features.pooler
    heads = dict(bundle.heads) | ({} if pooler is None else {"pooler": pooler.dense.state_dict()})
    extras: dict[str, Any] = {
        "bertsmith": {
            "format": SENTENCE_FORMAT,
            "sentences": embedder.task.model_dump(mode="json"),
            "precision": bundle.precision,
            **({} if bundle.form is None else generation_block(bundle.form)),
        }
    }
    if needs_all_layers(embedder):
        extras["output_hidden_states"] = True
    bundle.tokenizer.save(folder)
    notes = save_checkpoint(folder, embedder.encoder, family=bundle.family, heads=heads, config_extras=extras)
    return notes + write_layout(folder, embedder, max_length=bundle.max_length)


def pooler_tensors(heads: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The pooler of a checkpoint by the names of `SentenceEmbedder`; nothing if it has none."""
    return {f"features.pooler.dense.{name}": part for name, part in heads.get("pooler", {}).items()}


def fill(embedder: SentenceEmbedder, tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Fill everything above the encoder; random weights would give vectors without a meaning.

    Raises:
        UserError: a weight is missing or of another size.
    """
    own = embedder.on_top()
    missing = [name for name in own if name not in tensors]
    if any(name.startswith("features.pooler.") for name in missing):
        raise UserError(
            f"{where} has no pooler (dense layer on [CLS]), and a random one would give vectors without a meaning; "
            "choose another pooling: cls, mean, max or first-last-avg",
            code="no_pooler",
            where=where,
        )
    wrong = missing or [name for name, tensor in own.items() if tensors[name].shape != tensor.shape]
    if wrong:
        raise UserError(
            f"{where}: the weights of {wrong[0]} are missing or of another size; the folder is damaged, or what was "
            "asked for needs weights that were never trained",
            code="damaged_bundle",
            where=where,
        )
    embedder.load_state_dict({name: tensors[name] for name in own}, strict=False)
