"""What glibc does with freed memory: kept for the next update, or given back between two windows of a stream."""

import ctypes
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's malloc.h
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; returns whether it did, which is False with any other library.

    As it comes, glibc maps blocks above 32 MB anew every time, and the system clears their pages one
    by one: the gradient of a token table costs more to clear than to compute. It holds for the whole
    process, and memory once used stays with it.
    """
    mallopt = _mallopt()
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))


def can_keep_freed_memory() -> bool:
    """Whether there is a glibc to tell."""
    return _mallopt() is not None


def give_back_freed_memory() -> None:
    """Tell glibc to give whole free pages back to the system; nothing with any other library.

    Batches of a stream differ a little in size, and what one leaves rarely fits the next: without this a process
    grows for hundreds of thousands of texts.
    """
    trim = _of_libc("malloc_trim")
    if trim is not None:
        trim(0)


def _mallopt() -> Callable[[int, int], int] | None:
    return _of_libc("mallopt")


def _of_libc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
