"""The sorted table of LevelDB, which is the form of a TensorFlow index: keys and values in checked blocks."""

from collections.abc import Iterator

from bertsmith.encoder.tensorbundle.checksum import crc32c, masked
from bertsmith.encoder.tensorbundle.snappy import decompressed
from bertsmith.encoder.tensorbundle.wire import Malformed, varint

_FOOTER = 48
_MAGIC = 0xDB4775248B80FB57
_TRAILER = 5


def entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every key with its value, in order.

    Raises:
        Malformed: it is no such table, or a block is damaged; checksums are compared.
    """
    if len(content) < _FOOTER or int.from_bytes(content[-8:], "little") != _MAGIC:
        raise Malformed("it does not end as a TensorFlow index does")
    footer = content[-_FOOTER:]
    _, place = varint(footer, 0)
    _, place = varint(footer, place)
    for _, handle in _pairs(_block(content, footer[place:])):
        yield from _pairs(_block(content, handle))


def _block(content: bytes, handle: bytes) -> bytes:
    """The block a handle points to, checked and decompressed."""
    offset, place = varint(handle, 0)
    size, _ = varint(handle, place)
    if offset + size + _TRAILER > len(content) - _FOOTER:
        raise Malformed("a block lies beyond its end")
    body = content[offset : offset + size + 1]
    stored = int.from_bytes(content[offset + size + 1 : offset + size + _TRAILER], "little")
    if masked(crc32c(body)) != stored:
        raise Malformed(f"the checksum of the block at byte {offset} is wrong")
    match body[-1]:
        case 0:
            return body[:-1]
        case 1:
            return decompressed(body[:-1])
        case kind:
            raise Malformed(f"the block at byte {offset} is compressed in an unknown way ({kind})")


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys share their beginning with the key before; restart points at the end only serve searching."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise Malformed("a block has more restart points than bytes")
    key, place = b"", 0
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        size, place = varint(block, place)
        if shared > len(key) or place + own + size > end:
            raise Malformed("an entry reaches beyond its block")
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + size]
        place += own + size
