"""Memory that one update gives back is used by the next, without asking the system for it again."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's malloc.h
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; returns whether it did, which is False with any other library.

    As it comes, glibc maps blocks above 32 MB anew every time, and the system clears their pages one
    by one: the gradient of a token table costs more to clear than to compute. It holds for the whole
    process, and memory once used stays with it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
