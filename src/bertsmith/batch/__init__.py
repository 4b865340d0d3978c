"""The shapes of data: an `Example` on the host, a `PackedBatch` on the device, a `Layout` of what belongs together.

`Example` needs no torch; the others are loaded when first asked for, so that what only handles
texts stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bertsmith.batch.example import Example

if TYPE_CHECKING:
    from bertsmith.batch.layout import Layout
    from bertsmith.batch.moving import moved, sent
    from bertsmith.batch.packed import PackedBatch, cut, in_order, pack, per_sequence
    from bertsmith.batch.steps import Steps

__all__ = ["Example", "Layout", "PackedBatch", "Steps", "cut", "in_order", "moved", "pack", "per_sequence", "sent"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = {"Layout": "layout", "Steps": "steps", "moved": "moving", "sent": "moving"}.get(name, "packed")
    return getattr(import_module(f"bertsmith.batch.{module}"), name)
