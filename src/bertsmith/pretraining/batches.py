"""What goes through a pre-training model at once: packed texts, and what is to be found out about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from bertsmith.batch import PackedBatch, moved
from bertsmith.encoder import AttentionMask

T = TypeVar("T", "TokenTargets", "SpanTargets")


@dataclass(frozen=True, slots=True)
class TokenTargets:
    """Rows of the packed batch at which a token is to be named, and which token it is."""

    rows: Int[Tensor, "targets"]
    labels: Int[Tensor, "targets"]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class SpanTargets:
    """Tokens to be named from the borders of their span: the rows just outside it, and the place inside, from 0."""

    left: Int[Tensor, "targets"]
    right: Int[Tensor, "targets"]
    places: Int[Tensor, "targets"]
    labels: Int[Tensor, "targets"]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class PretrainBatch:
    """Texts under one attention mask with the targets of each loss; a loss without targets is not computed.

    `hidden` are the tokens a corruption chose, `next` those that follow what the mask lets a token
    see, `spans` the tokens of whole hidden stretches, `relations` one label a text; `counts` says what
    became of the hidden tokens (`Corrupted.counts`). `asked` are the rows, ascending, at which any of
    these targets reads the last hidden states; None: so many that all may as well be computed.
    """

    texts: PackedBatch
    attend: AttentionMask
    hidden: TokenTargets | None = None
    next: TokenTargets | None = None
    spans: SpanTargets | None = None
    relations: Int[Tensor, "sequences"] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    asked: Int[Tensor, "asked"] | None = None

    @property
    def num_tokens(self) -> int:
        """Number of tokens the encoder will read."""
        return self.texts.num_tokens

    def to(self, device: torch.device | str) -> "PretrainBatch":
        """Copy to a device."""
        return replace(
            self,
            texts=self.texts.to(device),
            hidden=_moved(self.hidden, device),
            next=_moved(self.next, device),
            spans=_moved(self.spans, device),
            relations=moved(self.relations, device),
            asked=moved(self.asked, device),
        )


def with_asked(batch: PretrainBatch) -> PretrainBatch:
    """The same batch, its targets' rows gathered on the host, where that waits for no device."""
    rows = [targets.rows for targets in (batch.hidden, batch.next) if targets is not None]
    rows += [batch.spans.left, batch.spans.right] if batch.spans is not None else []
    rows += [batch.texts.cu_seqlens[:-1].long()] if batch.relations is not None else []
    asked = torch.unique(torch.cat(rows)) if rows else None
    worth = asked is not None and 2 * len(asked) < batch.num_tokens
    return replace(batch, asked=asked if worth else None)


def _moved(targets: T | None, device: torch.device | str) -> T | None:
    if targets is None:
        return None
    names = [member.name for member in fields(targets)]
    return replace(targets, **{name: moved(getattr(targets, name), device) for name in names})
