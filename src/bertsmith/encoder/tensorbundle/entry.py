"""The two messages an index holds: what it says of the whole bundle, and of each tensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bertsmith.encoder.tensorbundle.slices import Extent
from bertsmith.encoder.tensorbundle.wire import Malformed, fields, message, number

DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    19: "float16",
}
"""TensorFlow's numbers of the types that are read."""


@dataclass(frozen=True, slots=True)
class Header:
    """How many data files there are, and the order of bytes in them."""

    shards: int
    order: Literal["<", ">"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the bytes of a tensor stand; with `slices`, it is only the whole of which they are parts."""

    dtype: str
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    slices: tuple[tuple[Extent, ...], ...] = ()


def read_header(data: bytes) -> Header:
    """The header of a bundle (`BundleHeaderProto`).

    Raises:
        Malformed: it is damaged, or written for readers of a later version.
    """
    found = dict(fields(data))
    least = {name: number(value) for name, value in fields(message(found.get(3, b"")))}.get(2, 0)
    if least > 1:
        raise Malformed(f"it asks for a reader of version {least}, this is version 1")
    return Header(number(found.get(1, 1)), ">" if found.get(2, 0) == 1 else "<")


def read_entry(data: bytes) -> Entry:
    """The entry of a tensor (`BundleEntryProto`).

    Raises:
        Malformed: it is damaged, or of a shape that is not known.
    """
    told: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    slices: list[tuple[Extent, ...]] = []
    for name, value in fields(data):
        if name == 2:
            shape = _shape(message(value))
        elif name == 7:
            slices.append(_extents(message(value)))
        else:
            told[name] = number(value)
    kind = told.get(1, 0)
    return Entry(
        dtype=DTYPES.get(kind, str(kind)),
        shape=shape,
        shard=told.get(3, 0),
        offset=told.get(4, 0),
        size=told.get(5, 0),
        checksum=told.get(6, 0),
        slices=tuple(slices),
    )


def _shape(data: bytes) -> tuple[int, ...]:
    sizes = []
    for name, value in fields(data):
        if name == 3 and value:
            raise Malformed("a tensor of unknown rank")
        if name == 2:
            sizes.append(_named(message(value), 1, default=0))
    if min(sizes, default=0) < 0:
        raise Malformed("a tensor of unknown size")
    return tuple(sizes)


def _extents(data: bytes) -> tuple[Extent, ...]:
    extents = [message(value) for name, value in fields(data) if name == 1]
    return tuple((_named(extent, 1, default=0), _named(extent, 2, default=-1)) for extent in extents)


def _named(data: bytes, wanted: int, *, default: int) -> int:
    found: Sequence[int] = [number(value) for name, value in fields(data) if name == wanted]
    return found[-1] if found else default
