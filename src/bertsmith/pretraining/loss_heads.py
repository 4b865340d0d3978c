"""What is asked of the encoder: each loss as a value that names the heads it needs and computes its sum.

A loss gives sums over targets times its `weight`, and the number of targets to divide them by: so
every loss is a mean over its own targets, and the means are added. `losses` names what a loss adds,
`counted` what it counts beside it.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.config import Config
from bertsmith.encoder import Encoder
from bertsmith.heads import RelationHead, SpanBoundaryHead, VocabularyHead
from bertsmith.losses import vocabulary_loss
from bertsmith.pretraining.batches import PretrainBatch, TokenTargets
from bertsmith.pretraining.reading import Reading

Builders = Mapping[str, Callable[[torch.Generator | None], nn.Module]]
"""Heads by the name under which losses share them."""


class MaskedTokens(Config):
    """Name the hidden tokens from everything they may see (Devlin et al. 2019, arXiv 1810.04805 §3.1).

    Under the Permutation mask the rows are queries, and this is XLNet's loss (Yang et al. 2019 §2.3).
    """

    losses: ClassVar[tuple[str, ...]] = ("masked_tokens",)
    counted: ClassVar[tuple[str, ...]] = ("masked_accuracy",)
    kind: Literal["masked_tokens"] = "masked_tokens"
    weight: PositiveFloat = 1.0

    def heads(self, encoder: Encoder) -> Builders:
        """The heads it needs."""
        return {"mlm": lambda generator: VocabularyHead(encoder.config, generator=generator)}

    def weights(self, batch: PretrainBatch) -> dict[str, int]:
        """The number of targets; nothing for a batch that has none of this kind."""
        return {} if batch.hidden is None else {"masked_tokens": len(batch.hidden)}

    def __call__(self, reading: Reading) -> dict[str, Tensor]:
        """The weighted sum of the loss over the targets."""
        assert reading.batch.hidden is not None
        return {"masked_tokens": self.weight * _named(reading, reading.batch.hidden, "masked_accuracy")}


class NextToken(Config):
    """Name the token that follows what the attention mask lets each one see.

    Left to right under Causal (Radford et al. 2018), right to left under RightToLeft, only the second
    segment under PrefixLM, as SimBERT does.
    """

    losses: ClassVar[tuple[str, ...]] = ("next_token",)
    counted: ClassVar[tuple[str, ...]] = ("next_accuracy",)
    kind: Literal["next_token"] = "next_token"
    weight: PositiveFloat = 1.0

    def heads(self, encoder: Encoder) -> Builders:
        """The heads it needs."""
        return MaskedTokens().heads(encoder)

    def weights(self, batch: PretrainBatch) -> dict[str, int]:
        """The number of targets; nothing for a batch that has none of this kind."""
        return {} if batch.next is None else {"next_token": len(batch.next)}

    def __call__(self, reading: Reading) -> dict[str, Tensor]:
        """The weighted sum of the loss over the targets."""
        assert reading.batch.next is not None
        return {"next_token": self.weight * _named(reading, reading.batch.next, "next_accuracy")}


class PairRelation(Config):
    """Tell a true pair of segments from a false one: next sentence (BERT §3.1) or sentence order (ALBERT §3.1)."""

    losses: ClassVar[tuple[str, ...]] = ("pair_relation",)
    counted: ClassVar[tuple[str, ...]] = ("relation_accuracy",)
    kind: Literal["pair_relation"] = "pair_relation"
    weight: PositiveFloat = 1.0

    def heads(self, encoder: Encoder) -> Builders:
        """The heads it needs."""
        return {"relation": lambda generator: RelationHead(encoder.config, generator=generator)}

    def weights(self, batch: PretrainBatch) -> dict[str, int]:
        """The number of texts; nothing for a batch without pairs."""
        return {} if batch.relations is None else {"pair_relation": len(batch.relations)}

    def __call__(self, reading: Reading) -> dict[str, Tensor]:
        """The weighted sum of the loss over the texts."""
        labels = reading.batch.relations
        assert labels is not None
        head = reading.head("relation", RelationHead)
        scores = head(reading.at(reading.batch.texts.cu_seqlens[:-1].long()))
        reading.counts.add("relation_accuracy", (scores.argmax(-1) == labels).sum(), len(labels))
        return {"pair_relation": self.weight * F.cross_entropy(scores, labels, reduction="sum")}


class SpanBoundary(Config):
    """Name the tokens of a hidden span from the two that border it (Joshi et al. 2020, arXiv 1907.10529 §3.2).

    The borders stand outside the span; a span at the edge of its text has none, and no such loss.
    Only the first `longest` tokens of a span are asked for (authors' code, which divides by one more than
    there are targets; this is their mean).
    """

    losses: ClassVar[tuple[str, ...]] = ("span_boundary",)
    counted: ClassVar[tuple[str, ...]] = ("boundary_accuracy",)
    kind: Literal["span_boundary"] = "span_boundary"
    weight: PositiveFloat = 1.0
    position_size: PositiveInt = 200
    longest: PositiveInt = 20

    def heads(self, encoder: Encoder) -> Builders:
        """The heads it needs."""
        sizes = {"position_size": self.position_size, "longest": self.longest}
        return {
            "span_boundary": lambda generator: SpanBoundaryHead(encoder.config, **sizes, generator=generator),
        }

    def weights(self, batch: PretrainBatch) -> dict[str, int]:
        """The number of targets; nothing for a batch that has none of this kind."""
        return {} if batch.spans is None else {"span_boundary": len(batch.spans)}

    def __call__(self, reading: Reading) -> dict[str, Tensor]:
        """The weighted sum of the loss over the targets."""
        targets, head = reading.batch.spans, reading.head("span_boundary", SpanBoundaryHead)
        assert targets is not None
        vectors = head(reading.at(targets.left), reading.at(targets.right), targets.places)
        guesses = vocabulary_loss(vectors, reading.table, head.bias, targets.labels)
        reading.counts.add("boundary_accuracy", guesses.hits, len(targets))
        return {"span_boundary": self.weight * guesses.total.sum}


def _named(reading: Reading, targets: TokenTargets, counted: str) -> Tensor:
    """Summed cross entropy at the target rows, and only there is anything compared with the vocabulary."""
    head = reading.head("mlm", VocabularyHead)
    vectors = head(reading.at(targets.rows))
    guesses = vocabulary_loss(vectors, head.table(reading.table), head.bias, targets.labels)
    reading.counts.add(counted, guesses.hits, len(targets))
    return guesses.total.sum
