import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fresh import in_fresh_process

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
WORK = """
import os, sys, time
from pathlib import Path
from fresh import in_fresh_process

def work(path):
    Path(path + ".part").write_text(str(os.getpid()))
    os.replace(path + ".part", path)
    time.sleep(120)

if __name__ == "__main__":
    in_fresh_process(work, sys.argv[1])
"""


def test_work_is_done_elsewhere() -> None:
    assert in_fresh_process(os.getpid) != os.getpid()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for the process in /proc")
def test_killed_work_leaves_no_process_behind(tmp_path: Path) -> None:
    script, told = tmp_path / "work.py", tmp_path / "pid"
    script.write_text(WORK)
    surroundings = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    with subprocess.Popen([sys.executable, script, told], env=surroundings, stderr=subprocess.DEVNULL) as parent:
        until(told.exists)
        child = Path("/proc") / told.read_text() / "stat"
        parent.kill()
    until(lambda: not child.exists() or ") Z " in child.read_text())  # gone, or dead and not yet buried


def until(true, seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
