"""The model that is fine-tuned: encoder, features, head and criterion, one after the other."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from bertsmith.batch import Layout, PackedBatch, cut, moved
from bertsmith.encoder import Encoder
from bertsmith.features import Joiner
from bertsmith.finetuning.documents import Chunks
from bertsmith.finetuning.ngrams import NgramScorer
from bertsmith.finetuning.reading import TextBatch
from bertsmith.finetuning.task import Task
from bertsmith.losses import LabelFacts

TOKENS_AT_ONCE = 8192
"""Tokens encoded together where nothing is learned: a long document's parts go one after the other."""


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Packed texts and what is true of each item: of each text, or of each token that gets an answer.

    `soft` is what a teacher says of the same items, as probabilities.
    """

    texts: TextBatch
    targets: Shaped[Tensor, "items *rest"]
    soft: Float[Tensor, "items outputs"] | None = None

    @property
    def num_tokens(self) -> int:
        """Number of tokens the encoder will read."""
        return self.texts.num_tokens

    def to(self, device: torch.device | str) -> "LabelledBatch":
        """Copy to a device."""
        return replace(
            self,
            texts=self.texts.to(device),
            targets=moved(self.targets, device),
            soft=moved(self.soft, device),
        )


class FineTuner(nn.Module):
    """Packed texts -> scores of each item; in training, the summed loss.

    `facts` (how often each label occurs in the training data) is needed by balanced weights only; a
    model made for prediction can leave it out. `ngrams` is no part of `scores`: it is fitted when the rest has
    learned, and joins in when a text is answered (`prediction.py`).
    """

    def __init__(
        self,
        task: Task,
        encoder: Encoder,
        *,
        facts: LabelFacts | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.task = task
        self.encoder = encoder
        shape = encoder.config
        self.features = task.features.build(shape.hidden_size, num_layers=shape.num_layers, generator=generator)
        self.join = self._joiner(generator)
        self.head = task.head.build(self.features.width, len(task.labels), generator=generator)
        self.criterion = task.criterion.build(facts or LabelFacts.of(task.labels))
        self.ngrams = None if task.ngrams is None else NgramScorer(task.ngrams, len(task.labels))

    def join_in(self, ngrams: NgramScorer) -> None:
        """Let a fitted linear model answer beside the encoder from now on."""
        self.ngrams = ngrams
        self.task = self.task.but(ngrams=ngrams.part)

    def _joiner(self, generator: torch.Generator | None) -> Joiner | None:
        """What makes one vector of those of a text's chunks; a head that reads tokens needs none."""
        document = self.task.document
        if not isinstance(document, Chunks) or self.task.features.per_token:
            return None
        return Joiner(document.join, self.features.width, generator=generator)

    def scores(self, texts: TextBatch) -> Float[Tensor, "items outputs"]:
        """Score every item for every output; the items are laid out as `texts.layout` says."""
        scores: Tensor = self.head(*self._vectors(texts))
        return scores

    def scorings(self, texts: TextBatch) -> list[Float[Tensor, "items outputs"]]:
        """The same in training: one pass of the encoder, scored as often as the head takes samples."""
        vectors, groups = self._vectors(texts)
        return [self.head(vectors, groups) for _ in range(self.head.samples)]

    @property
    def loss_names(self) -> tuple[str, ...]:
        """There is one loss."""
        return ("loss",)

    @property
    def top_depth(self) -> int:
        """Depth of the encoder's last layer; pooler and head lie above it."""
        return self.encoder.config.num_layers

    def loss_weights(self, batch: LabelledBatch) -> dict[str, Tensor]:
        """What the loss of a micro-batch is divided by: its items, or the sum of their weights."""
        return {"loss": self.criterion.weight(batch.targets)}

    def forward(self, batch: LabelledBatch) -> dict[str, Tensor]:
        """The loss of a micro-batch, summed over its items."""
        scorings = self.scorings(batch.texts)
        losses = [self.criterion.loss(scores, batch.targets, batch.texts.layout).sum for scores in scorings]
        return {"loss": torch.stack(losses).mean()}

    def vectors(self, texts: TextBatch) -> Float[Tensor, "texts width"]:
        """The vector of each text that the head reads; the head must read one a text."""
        assert not self.task.features.per_token, "the head reads tokens"
        return self._vectors(texts)[0]

    def _vectors(self, texts: TextBatch) -> tuple[Float[Tensor, "vectors width"], Layout | None]:
        """What the head reads, and which of it stands together."""
        learning = torch.is_grad_enabled()
        parts = [texts.sequences] if learning else cut(texts.sequences, TOKENS_AT_ONCE)
        vectors = torch.cat([self._read(part) for part in parts])
        if self.task.head.gathers:
            return vectors, texts.tokens()
        if self.join is not None:
            return self.join(vectors, texts.chunks or Layout.of((1,) * len(vectors)).to(vectors.device)), None
        return (vectors if texts.places is None else vectors.index_select(0, texts.places)), texts.layout

    def _read(self, sequences: PackedBatch) -> Float[Tensor, "vectors width"]:
        return self.features.of(self.encoder, sequences)

    def depth_of(self, parameter: str) -> int:
        """0 for embeddings, i + 1 for layer i, one more than the top layer for everything on top."""
        part, _, name = parameter.partition(".")
        return self.encoder.depth_of(name) if part == "encoder" else self.top_depth + 1
