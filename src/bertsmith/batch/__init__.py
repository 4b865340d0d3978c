"""The two shapes of data: an `Example` on the host, a `PackedBatch` on the device."""

from bertsmith.batch.example import Example
from bertsmith.batch.packed import PackedBatch, in_order, pack, per_sequence

__all__ = ["Example", "PackedBatch", "in_order", "pack", "per_sequence"]
