"""The most memory this process ever had."""

import re
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
needs_linux = pytest.mark.skipif(not STATUS.exists(), reason="the peak of a process is read from Linux")


def peak() -> int:
    """In bytes. `ru_maxrss` would not do: a child begins with the peak of the process that started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
    assert found
    return int(found[1]) * 1024
