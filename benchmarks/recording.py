"""What results are told with: tables, versions, a name of the machine that is nobody's."""

import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from choices import Row

PACKAGES = ("bertsmith", "torch", "numpy", "tokenizers")
PATH_OPTIONS = ("--data", "--model", "--out", "--work", "--peers")


def table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table; the columns are those of the first."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([_cell(row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def surroundings() -> Mapping[str, str]:
    """What the figures depend on besides the code."""
    return {
        "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "python": platform.python_version(),
        "cpus": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", "torch's choice"),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def machine() -> str:
    """A short name of the processor."""
    text = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        text = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")), text)
    words = re.sub(r"\(.*?\)|@.*|CPU|Processor", " ", text.partition(":")[2] or text)
    return f"{'-'.join(words.lower().split())}-{os.cpu_count()}cpu"


def without_paths(arguments: Sequence[str]) -> str:
    """The command as anybody would type it: paths are this machine's business."""
    words = ["python", "benchmarks/run.py"]
    for before, word in zip(["", *arguments], arguments, strict=False):
        name, equals, _ = word.partition("=")
        if before in PATH_OPTIONS:
            word = "PATH"
        elif equals and name in PATH_OPTIONS:
            word = f"{name}=PATH"
        words.append(word)
    return shlex.join(words)


def _cell(value: str | int | float | None) -> str:
    return "" if value is None else str(value).replace("|", "\\|")
