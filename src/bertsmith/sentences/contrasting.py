"""The items of an update as the encoder reads them, and updates as a pure function of the position in a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.batch import Example, PackedBatch, moved, pack
from bertsmith.data import BatchPlan, plan_batches, split_micro_batches
from bertsmith.errors import UserError
from bertsmith.losses import Truth
from bertsmith.sentences.items import Items, Slots, alike

FEWEST = 8
"""The last items of an epoch, if fewer than this, join the batch before: few texts are few negatives."""


@dataclass(frozen=True, slots=True)
class Part:
    """Sequences embedded at once, `roles` of them an item, end to end.

    `before` are the rows whose next token is of a second segment: the last of a source, and all of its
    target but the end.
    """

    texts: PackedBatch
    roles: int
    before: Int[Tensor, "targets"]

    @classmethod
    def of(cls, sequences: Sequence[Example], roles: int) -> "Part":
        """Lay them end to end, on the host."""
        texts = pack(sequences)
        return cls(texts, roles, (texts.segment_ids[1:] > 0).nonzero().squeeze(1))

    def to(self, device: torch.device | str) -> "Part":
        """Copy to a device."""
        return replace(self, texts=self.texts.to(device), before=moved(self.before, device))


@dataclass(frozen=True, slots=True)
class ItemBatch:
    """The share of an update that one process embeds, in parts, and what is true of all its items.

    Its own items begin at number `first`; `truth` is that of the items of all processes.
    """

    parts: tuple[Part, ...]
    first: int
    truth: Truth

    @property
    def items(self) -> int:
        """Items of the update, those of other processes included."""
        return self.truth.items

    @property
    def num_tokens(self) -> int:
        """Tokens the encoder reads here."""
        return sum(part.texts.num_tokens for part in self.parts)

    def to(self, device: torch.device | str) -> "ItemBatch":
        """Copy to a device."""
        return replace(self, parts=tuple(part.to(device) for part in self.parts), truth=self.truth.to(device))


@runtime_checkable
class Reader(Protocol):
    """How the texts of items become sequences."""

    def lengths(self, slots: Slots) -> Int[np.ndarray, "items"]:
        """Tokens of each item, all its sequences together."""
        ...

    def sequences(self, slots: Slots, place: tuple[int, int]) -> list[Example]:
        """The sequences of each item, one after the other; the place (epoch, update) seeds what is drawn."""
        ...


@dataclass(frozen=True, slots=True)
class EachText:
    """Every text of an item is a sequence of its own."""

    examples: Sequence[Example]
    sizes: Int[np.ndarray, "texts"]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "EachText":
        """Measure them."""
        return cls(examples, np.array([len(example) for example in examples], dtype=np.int64))

    def lengths(self, slots: Slots) -> Int[np.ndarray, "items"]:
        """Tokens of each item."""
        return np.asarray(self.sizes[slots].sum(1))

    def sequences(self, slots: Slots, place: tuple[int, int]) -> list[Example]:
        """The texts as they are."""
        return [self.examples[text] for text in slots.ravel()]


class ItemUpdates:
    """The items of a run, update by update.

    All items of an update meet in one loss, so that an update has one micro-batch for each process,
    embedded in parts of at most `plan.max_tokens` tokens. `masked`: equal texts and known positives are
    named, so that they are no negatives. `taught` are the vectors of a teacher, by text.
    """

    def __init__(
        self,
        items: Items,
        reader: Reader,
        plan: BatchPlan,
        *,
        seed: int,
        masked: bool,
        taught: Float[np.ndarray, "texts width"] | None = None,
    ) -> None:
        self._items, self._reader, self._plan = items, reader, plan
        self._masked, self._taught = masked, taught
        self._slots = lru_cache(maxsize=2)(items.draw)
        self._lengths = lru_cache(maxsize=2)(self._measured)
        self._batches = lru_cache(maxsize=2)(partial(self._epoch, seed))

    def per_epoch(self, epoch: int) -> int:
        """How many updates this epoch has."""
        return len(self._batches(epoch))

    def update(self, epoch: int, index: int, *, at_least: int) -> list[Callable[[], ItemBatch]]:
        """One micro-batch for each process, made when it is called.

        Raises:
            UserError: there are more processes than items.
        """
        rows = self._batches(epoch)[index]
        if len(rows) < at_least:
            raise UserError(
                f"an update of {len(rows)} items cannot be shared by {at_least} processes; raise batches.batch_size",
                code="too_few_rows",
            )
        lengths = self._lengths(epoch)
        by_length = rows[np.argsort(lengths[rows], kind="stable")]
        shares = [
            split_micro_batches(by_length[number::at_least], lengths, self._plan.max_tokens)
            for number in range(at_least)
        ]
        return [partial(self._batch, (epoch, index), shares, number) for number in range(at_least)]

    def _measured(self, epoch: int) -> Int[np.ndarray, "items"]:
        return self._reader.lengths(self._slots(epoch))

    def _epoch(self, seed: int, epoch: int) -> list[np.ndarray]:
        lengths = self._lengths(epoch)
        batches = plan_batches(lengths, self._plan, seed=seed, epoch=epoch)
        smallest = min(range(len(batches)), key=lambda number: len(batches[number]))
        full = self._plan.batch_size or 0
        if len(batches) > 1 and len(batches[smallest]) < min(FEWEST, full):
            few = batches.pop(smallest)
            batches[-1] = np.concatenate([batches[-1], few])
        return batches

    def _batch(self, place: tuple[int, int], shares: Sequence[Sequence[np.ndarray]], number: int) -> ItemBatch:
        slots = self._slots(place[0])
        rows = np.concatenate([part for share in shares for part in share])
        first = sum(len(part) for share in shares[:number] for part in share)
        parts = tuple(Part.of(self._reader.sequences(slots[part], place), slots.shape[1]) for part in shares[number])
        return ItemBatch(parts, first, self._truth(slots[rows], rows))

    def _truth(self, slots: Slots, rows: Int[np.ndarray, "items"]) -> Truth:
        items = self._items
        hidden = alike(items.classes[slots], items.partners) if self._masked else None
        return Truth(
            items=len(rows),
            labels=None if items.labels is None else torch.from_numpy(items.labels[rows]),
            alike=None if hidden is None or not len(hidden) else torch.from_numpy(hidden),
            teacher=None if self._taught is None else _vectors(self._taught, slots),
        )


def _vectors(taught: Float[np.ndarray, "texts width"], slots: Slots) -> Float[Tensor, "items roles width"]:
    return torch.from_numpy(taught[slots])
