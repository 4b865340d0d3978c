"""The memory of this process: now, and the most it ever had."""

import re
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
needs_linux = pytest.mark.skipif(not STATUS.exists(), reason="the peak of a process is read from Linux")


def peak() -> int:
    """In bytes. `ru_maxrss` would not do: a child begins with the peak of the process that started it."""
    return _bytes("VmHWM")


def resident() -> int:
    """In bytes."""
    return _bytes("VmRSS")


def _bytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text())
    assert found
    return int(found[1]) * 1024
