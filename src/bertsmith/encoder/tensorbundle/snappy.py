"""Decompression of Snappy blocks, as older TensorFlow wrote them into an index."""

from bertsmith.encoder.tensorbundle.wire import Malformed, varint


def decompressed(data: bytes) -> bytes:
    """The bytes of one raw Snappy block.

    Raises:
        Malformed: the block is damaged.
    """
    size, place = varint(data, 0)
    result = bytearray()
    while place < len(data):
        tag = data[place]
        if tag & 3 == 0:
            length, place = _literal(data, place)
            result += data[place : place + length]
            place += length
        else:
            length, offset, place = _copy(data, place)
            if not 0 < offset <= len(result):
                raise Malformed("a Snappy block refers to bytes before its beginning")
            for _ in range(length):
                result.append(result[-offset])
    if len(result) != size:
        raise Malformed(f"a Snappy block holds {len(result)} bytes instead of {size}")
    return bytes(result)


def _literal(data: bytes, place: int) -> tuple[int, int]:
    """How many bytes follow as they are, and where."""
    length = data[place] >> 2
    place += 1
    if length >= 60:
        extra = length - 59
        length = int.from_bytes(data[place : place + extra], "little")
        place += extra
    return length + 1, place


def _copy(data: bytes, place: int) -> tuple[int, int, int]:
    """How many bytes repeat, how far back, and where the next tag is."""
    tag = data[place]
    if tag & 3 == 1:
        length, extra = (tag >> 2 & 7) + 4, 1
    else:
        length, extra = (tag >> 2) + 1, 2 if tag & 3 == 2 else 4
    after = place + 1 + extra
    if after > len(data):
        raise Malformed("a Snappy block is cut short")
    offset = int.from_bytes(data[place + 1 : after], "little")
    return length, offset | (tag >> 5) << 8 if tag & 3 == 1 else offset, after
