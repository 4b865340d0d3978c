"""The file of a SentencePiece model, a protocol buffer, read without the library that wrote it.

Three things of it are needed: the pieces with their scores, the kind of model, and the normaliser's
table of characters, which has to be the model's own.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import UserError

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_UNIGRAM = 1
_UNKNOWN, _CONTROL = 2, 3


@dataclass(frozen=True, slots=True)
class Pieces:
    """(piece, score) by id; the unknown piece; the pieces no text contains; the table of characters."""

    scores: list[tuple[str, float]]
    unk: int
    control: frozenset[int]
    charsmap: bytes


def read_model(path: Path) -> Pieces:
    """Read the pieces of a SentencePiece model.

    Raises:
        UserError: the file cannot be read, is cut short, or holds no unigram model.
    """
    try:
        return _parsed(path.read_bytes())
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise UserError(message, code="unreadable", where=str(path)) from error
    except (ValueError, IndexError, struct.error) as error:
        message = (
            f"{path}: not a complete SentencePiece unigram model ({error}); fetch it again, or give a tokenizer.json"
        )
        raise UserError(message, code="bad_tokenizer", where=str(path)) from error


def _parsed(data: bytes) -> Pieces:
    scores, kinds, parts = [], [], {}
    for number, value in _fields(data):
        if number == _PIECES:
            piece = dict(_fields(_message(value)))
            scores.append((_message(piece[1]).decode(), _float(piece.get(2))))
            kinds.append(piece.get(3))
        else:
            parts[number] = value
    if not scores or _TRAINER not in parts or _NORMALIZER not in parts:
        raise ValueError("the file ends before the model does")
    if dict(_fields(_message(parts[_TRAINER]))).get(3, _UNIGRAM) != _UNIGRAM:
        raise ValueError("the model is not of the kind unigram")
    normalizer = dict(_fields(_message(parts[_NORMALIZER])))
    return Pieces(
        scores=scores,
        unk=kinds.index(_UNKNOWN),
        control=frozenset(number for number, kind in enumerate(kinds) if kind == _CONTROL),
        charsmap=_message(normalizer.get(2, b"")),
    )


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: number and value, bytes for anything longer than a varint."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        if key & 7 == 0:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        length = {1: 8, 5: 4}.get(key & 7)
        if key & 7 == 2:
            length, position = _varint(data, position)
        if length is None or position + length > len(data):
            raise ValueError("a field is damaged or cut short")
        yield key >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number stands where a message is needed")
    return value


def _float(value: int | bytes | None) -> float:
    return 0.0 if value is None else float(struct.unpack("<f", _message(value))[0])
