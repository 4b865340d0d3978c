"""The wire format of protocol buffers, as much of it as an index needs: numbers and bytes."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Malformed(ValueError):
    """Bytes that do not follow their format; whoever knows the file says which one."""


def varint(data: bytes, start: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, lowest first; also returns where the next thing begins.

    Raises:
        Malformed: the bytes end inside the number, or it is longer than 64 bits.
    """
    value = shift = 0
    while start < len(data) and shift < 64:
        byte = data[start]
        value |= (byte & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if byte < 0x80:
            return value, start
    raise Malformed("a number is cut short")


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Every field of a message as its number and value; what is nested stays bytes.

    Raises:
        Malformed: the message is cut short, or uses groups, which no index does.
    """
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        value: int | bytes
        match key & 7:
            case 0:
                value, place = varint(data, place)
            case 1 | 5 as kind:
                size = 8 if kind == FIXED64 else 4
                value, place = int.from_bytes(_taken(data, place, size), "little"), place + size
            case 2:
                size, place = varint(data, place)
                value, place = _taken(data, place, size), place + size
            case kind:
                raise Malformed(f"a field of wire type {kind}")
        yield key >> 3, value


def number(value: int | bytes) -> int:
    """A field that must be a number, with its sign.

    Raises:
        Malformed: it is bytes.
    """
    if isinstance(value, bytes):
        raise Malformed("bytes where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def message(value: int | bytes) -> bytes:
    """A field that must be bytes.

    Raises:
        Malformed: it is a number.
    """
    if isinstance(value, int):
        raise Malformed("a number where bytes belong")
    return value


def _taken(data: bytes, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise Malformed("a field is cut short")
    return data[start : start + size]
