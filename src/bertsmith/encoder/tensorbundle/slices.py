"""The keys under which the parts of a partitioned variable stand: strings and numbers that sort as bytes."""

from collections.abc import Sequence

_ESCAPED = {0x00: b"\x00\xff", 0xFF: b"\xff\x00"}

Extent = tuple[int, int]
"""Start and length along one dimension; `(0, -1)` is the whole of it."""


def slice_key(name: str, extents: Sequence[Extent]) -> bytes:
    """The key of one part (TensorFlow's `EncodeTensorNameSlice`)."""
    key = _increasing(0) + _string(name.encode()) + _increasing(len(extents))
    return key + b"".join(_signed(start) + _signed(length) for start, length in extents)


def _string(text: bytes) -> bytes:
    """The text and an end mark; the two bytes that mean something are escaped."""
    return b"".join(_ESCAPED.get(byte, bytes([byte])) for byte in text) + b"\x00\x01"


def _increasing(value: int) -> bytes:
    """A length byte, then the number without leading zeros."""
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _signed(value: int) -> bytes:
    """A number of `7 n - 1` bits and its sign in `n` bytes; `n` leading ones, flipped for negative numbers."""
    bits = (~value if value < 0 else value).bit_length()
    size = bits // 7 + 1
    padded = bytearray(value.to_bytes(max(size, 2), "big", signed=True)[-size:])
    header = ((1 << size) - 1) << (8 * max(size, 2) - size)
    for place, byte in enumerate(header.to_bytes(max(size, 2), "big")[:size]):
        padded[place] ^= byte
    return bytes(padded)
