"""The two shapes of data: an `Example` on the host, a `PackedBatch` on the device.

`Example` needs no torch; the packed names are loaded when first asked for, so that what only
handles texts stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bertsmith.batch.example import Example

if TYPE_CHECKING:
    from bertsmith.batch.packed import PackedBatch, in_order, pack, per_sequence

__all__ = ["Example", "PackedBatch", "in_order", "pack", "per_sequence"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("bertsmith.batch.packed"), name)
