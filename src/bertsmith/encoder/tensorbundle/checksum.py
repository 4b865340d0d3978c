"""CRC-32C of large arrays in numpy: many lanes side by side, joined as the checksum's algebra allows.

A CRC register is linear over bits: the register after `A` then `B` is the register after `A`, moved on
by as many zero bytes as `B` has, exclusive-or the register after `B` alone. So a buffer is read as rows
of words, each word of a row in a lane of its own that moves on by a whole row at a time; the lanes are
joined pairwise afterwards. Zeros before the first byte change nothing.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import UInt32

_POLYNOMIAL = np.uint32(0x82F63B78)
_ONES = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8
_CHUNK = 1 << 24
_LANES = 1 << 15

Registers = UInt32[np.ndarray, "lanes"]
Move = UInt32[np.ndarray, "2 65536"]
"""What each half of a register becomes, the lower one first; the register is the exclusive-or of both."""


def crc32c(data: bytes | memoryview | np.ndarray, before: int = 0) -> int:
    """The checksum of RFC 3720 (Castagnoli), going on from that of the bytes before.

    The same as the `crc32` instruction of processors gives.
    """
    values = np.frombuffer(data, dtype=np.uint8)
    state = before ^ _ONES
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK]
        state = _moved(state, len(part)) ^ _from_zero(part)
    return state ^ _ONES


def masked(checksum: int) -> int:
    """As LevelDB and TensorFlow store it, so that a checksum of data with checksums in it stays meaningful."""
    return (((checksum >> 15) | (checksum << 17)) + _MASK_DELTA) & _ONES


def _from_zero(values: np.ndarray) -> int:
    """The register after these bytes, begun at zero."""
    words = -(-len(values) // 4)
    lanes = 1 << min(_LANES, max(1, words // 16)).bit_length() - 1
    rows = -(-words // lanes)
    padded = np.zeros(4 * lanes * rows, dtype=np.uint8)
    padded[len(padded) - len(values) :] = values
    row = _power(4 * lanes)
    state = np.zeros(lanes, dtype=np.uint32)
    for words_of_row in padded.view("<u4").reshape(rows, lanes):
        state = _after(state, row) ^ words_of_row
    step = 4
    while len(state) > 1:
        state = _after(state[0::2], _power(step)) ^ state[1::2]
        step *= 2
    return _moved(int(state[0]), 4)


def _moved(state: int, zeros: int) -> int:
    """The register after so many zero bytes more."""
    for place in range(zeros.bit_length()):
        if zeros >> place & 1:
            state = int(_after(np.array([state], dtype=np.uint32), _power(1 << place))[0])
    return state


def _after(state: Registers, move: Move) -> Registers:
    places = (state & 0xFFFF).astype(np.intp)
    result: np.ndarray = move[0].take(places)
    np.right_shift(state, 16, out=places, casting="unsafe")
    result ^= move[1].take(places)
    return result


@lru_cache(maxsize=32)
def _power(zeros: int) -> Move:
    """The move by so many zero bytes, a power of two of them."""
    if zeros == 1:
        return _byte()
    half = _power(zeros // 2)
    return _after(half.reshape(-1), half).reshape(2, -1)


def _byte() -> Move:
    """The move by one zero byte: shift right by eight, and fold what falls out back in."""
    fallen = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        fallen = (fallen >> np.uint32(1)) ^ np.where(fallen & 1, _POLYNOMIAL, np.uint32(0))
    halves = np.arange(1 << 16, dtype=np.uint32)
    low = (halves >> np.uint32(8)) ^ fallen[halves & 0xFF]
    return np.stack([low, halves << np.uint32(8)])
