"""Memory that one update gives back is used by the next, without asking the system for it again."""

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


def _mallopt() -> Callable[[int, int], int] | None:
    return getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
