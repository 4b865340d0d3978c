"""Two processes under torchrun compute what one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from bertsmith.training import Ranks, joined_ranks

from . import toy
from .toy import log_lines

THREADS_LEFT = """
from pathlib import Path

import torch

from bertsmith.training import joined_ranks

with joined_ranks(torch.device("cpu"), timeout_minutes=1.0) as ranks:
    import torch.distributed.nn  # its functions have the group as a default

    ranks.sum(torch.ones(1))
names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
assert not [name for name in names if "gloo" in name], names
"""


def run(processes: int, *arguments: str, script: str | Path = toy.__file__) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [*command, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def numbers(folder: Path) -> list[float]:
    return [line["loss"] for line in log_lines(folder) if "loss" in line]


@pytest.mark.distributed
@pytest.mark.parametrize(("dropout", "parts"), [("0.0", "1"), ("0.1", "3")], ids=["cut anew", "with dropout"])
def test_two_processes_give_what_one_gives(tmp_path, dropout, parts):
    one, two = tmp_path / "one", tmp_path / "two"
    toy.main([str(one), dropout, parts, "100"])
    done = run(2, str(two), dropout, parts, "100")
    assert done.returncode == 0, done.stderr[-2000:]
    name = "weights.safetensors"
    assert_close(load_file(two / name), load_file(one / name), atol=1e-5, rtol=1e-4)
    assert_close(numbers(two), numbers(one), atol=1e-5, rtol=1e-4)
    assert [set(line) for line in log_lines(two)] == [set(line) for line in log_lines(one)]


@pytest.mark.distributed
def test_run_of_two_goes_on_as_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    toy.main([str(one), "0.1", "3", "4"])
    done = run(2, str(two), "0.1", "3", "4", "fail")
    assert done.returncode != 0
    assert "another process of this run stopped" in done.stderr
    toy.main([str(two), "0.1", "3", "4", "resume"])
    name = "weights.safetensors"
    assert_close(load_file(two / name), load_file(one / name), atol=1e-5, rtol=1e-4)


@pytest.mark.distributed
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_thread_of_the_group_is_left_to_abort_the_end_of_the_process(tmp_path):
    (tmp_path / "leave.py").write_text(THREADS_LEFT)
    done = run(2, script=tmp_path / "leave.py")
    assert done.returncode == 0, done.stderr[-2000:]


def test_alone_everything_is_the_identity(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    values = torch.tensor([1.0, 2.0])
    with joined_ranks(torch.device("cpu")) as ranks:
        assert ranks == Ranks()
        assert ranks.leads
        assert ranks.sum(values) is values
        assert ranks.from_leader({"a": 1}) == {"a": 1}
        assert not ranks.any(flag=False)
        assert ranks.any(flag=True)
