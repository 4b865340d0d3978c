"""How long a person waits for one answer: a command in a new process, and torch's import alone beside it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.protocol import Ask, Job, Measure


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """The first call of each fills the system's file cache and the compiled files of Python."""
    scratch = Path(job.files["scratch"])
    scratch.mkdir(parents=True, exist_ok=True)
    one = scratch / "one.jsonl"
    one.write_text(json.dumps({"text": "今天天气怎么样"}, ensure_ascii=False) + "\n", encoding="utf-8")
    predict = ["-m", "bertsmith", "predict", "--model", job.files["classifier"], "--input", str(one)]
    commands = {"predict": predict, "torch": ["-c", "import torch"], "help": ["-m", "bertsmith", "--help"]}
    seconds = partial(seconds_of, environment=with_compiled_files(scratch / "pycache"))
    for words in commands.values():
        seconds(words)

    def run(_: Ask) -> Measure:
        worked = children_seconds()
        total = seconds(commands["predict"])
        worked = children_seconds() - worked
        torch = seconds(commands["torch"])
        figures = {"torch s": torch, "ours s": total - torch, "--help s": seconds(commands["help"])}
        return Measure(total, worked, figures=figures, peak_bytes=children_peak())

    return run


def with_compiled_files(folder: Path) -> dict[str, str]:
    """An environment where Python keeps what it compiled, as it does after an installation."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder)}


def seconds_of(words: list[str], *, environment: dict[str, str]) -> float:
    """Run Python with these words."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - began


def children_seconds() -> float:
    """Processor seconds of all processes that were started and have ended."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def children_peak() -> int:
    """The most resident memory one of them held, in bytes."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
