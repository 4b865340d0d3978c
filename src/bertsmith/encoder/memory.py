"""What has been read, as keys and values: sources once each, whatever is written about them row by row.

Rows are texts being written; each continues one source, and the rows of a source stand together. All
rows have written the same number of tokens, so their own keys need no padding; those of the sources
lie in the buckets in which they were read, and are shared by all rows that read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.batch import sent
from bertsmith.encoder.buckets import AttentionPlan, Bucket


@dataclass(frozen=True, slots=True)
class Shelf:
    """Sources of similar length, and the rows `start : stop` that read them.

    `kept` holds for each layer `[2, sources, heads, longest, size]`: keys, then values. `mask` is added to
    scores. `rows` says which row (from `start`) stands at each place of the rectangle `[sources, most]`,
    `places` is its inverse; both are None where all sources have equally many rows.
    """

    kept: tuple[Float[Tensor, "2 sources heads longest size"], ...]
    mask: Float[Tensor, "sources 1 1 longest"] | None
    start: int = 0
    stop: int = 0
    most: int = 0
    rows: Int[Tensor, "area"] | None = None
    places: Int[Tensor, "rows"] | None = None

    @property
    def sources(self) -> int:
        """How many sources stand here."""
        return self.kept[0].shape[1]

    def read_by(self, counts: np.ndarray, start: int) -> "Shelf":
        """The same sources without those that nobody reads any more; `counts` are the rows of each."""
        device, taken = self.kept[0].device, np.flatnonzero(counts)
        shelf = self if len(taken) == len(counts) else self._only(sent(taken, device))
        sizes = counts[taken]
        most = int(sizes.max(initial=0))
        rows = places = None
        if (sizes < most).any():
            columns = np.minimum(np.arange(most), sizes[:, None] - 1) + (np.cumsum(sizes) - sizes)[:, None]
            real = np.flatnonzero(np.arange(most) < sizes[:, None])
            rows, places = (sent(each.reshape(-1), device) for each in (columns, real))
        stop = start + int(sizes.sum())
        return replace(shelf, start=start, stop=stop, most=most, rows=rows, places=places)

    def _only(self, sources: Tensor) -> "Shelf":
        mask = None if self.mask is None else self.mask.index_select(0, sources)
        return replace(self, kept=tuple(layer.index_select(1, sources) for layer in self.kept), mask=mask)


class Memory:
    """The keys and values of sources and of what `rows` have written, up to `capacity` tokens each."""

    def __init__(self, plan: AttentionPlan, remembered: Sequence[Tensor], *, capacity: int) -> None:
        """`remembered` holds `[tokens, 2, heads, size]` for each layer, as the plan lays sources."""
        self.filled = 0
        self.owners = np.arange(sum(bucket.sequences for bucket in plan.buckets))
        self._capacity = capacity
        self._shelves = [_shelf(bucket, remembered) for bucket in plan.buckets]
        self._lay_out()
        heads, size = remembered[0].shape[2:]
        shape = (2, len(self.owners), heads, capacity, size)
        self._own = [layer.new_empty(shape) for layer in remembered]

    @property
    def rows(self) -> int:
        """How many texts are being written."""
        return len(self.owners)

    @property
    def shelves(self) -> Sequence[Shelf]:
        """The sources, in the order of the rows that read them."""
        return self._shelves

    def written(
        self, layer: int, values: Float[Tensor, "2 rows heads new size"]
    ) -> Float[Tensor, "2 rows heads filled size"]:
        """Put new keys and values behind what each row has, and give all of them.

        They stay only if `filled` counts them; else the next ones take their place.
        """
        stop = self.filled + values.shape[3]
        own = self._own[layer]
        own[:, :, :, self.filled : stop] = values
        return own[:, :, :, :stop]

    def select(self, rows: Int[np.ndarray, "kept"]) -> None:
        """Go on with these rows only, in this order; a row may stand there several times.

        Raises:
            ValueError: rows of one source would not stand together, in the order of the sources.
        """
        owners = self.owners[rows]
        if (np.diff(owners) < 0).any():
            raise ValueError("rows must stay in the order of their sources")
        if np.array_equal(rows, np.arange(self.rows)):
            return
        self._own = [self._moved(own, sent(rows, own.device)) for own in self._own]
        self.owners = owners
        self._lay_out()

    def _moved(self, own: Tensor, rows: Tensor) -> Tensor:
        moved = own.new_empty(2, len(rows), own.shape[2], self._capacity, own.shape[4])
        moved[:, :, :, : self.filled] = own[:, :, :, : self.filled].index_select(1, rows)
        return moved

    def _lay_out(self) -> None:
        """Say which rows read each shelf; sources that nobody reads are let go, and owners counted anew."""
        total = sum(shelf.sources for shelf in self._shelves)
        counts = np.bincount(self.owners, minlength=total)
        self.owners = (np.cumsum(counts > 0) - 1)[self.owners]
        shelves, first, start = [], 0, 0
        for shelf in self._shelves:
            read = counts[first : first + shelf.sources]
            first += shelf.sources
            if read.any():
                shelves.append(shelf.read_by(read, start))
                start = shelves[-1].stop
        self._shelves = shelves


def _shelf(bucket: Bucket, remembered: Sequence[Tensor]) -> Shelf:
    """The rectangle of a bucket, laid out once for all steps to come."""

    def rectangle(values: Tensor) -> Tensor:
        own = values[bucket.start : bucket.stop]
        padded = own if bucket.rows is None else own.index_select(0, bucket.rows)
        return padded.view(bucket.sequences, bucket.longest, *padded.shape[1:]).permute(2, 0, 3, 1, 4).contiguous()

    return Shelf(tuple(rectangle(values) for values in remembered), bucket.mask)
