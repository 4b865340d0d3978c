"""Results that can be read again: JSON for machines, one Markdown file a day and machine for people."""

import json
import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from choices import Row

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("bertsmith", "torch", "transformers", "accelerate", "numpy")
PATH_OPTIONS = ("--data", "--model", "--out")


@dataclass(frozen=True)
class Measured:
    """The rows of one benchmark."""

    name: str
    about: str
    rows: tuple[Row, ...]


def record(measured: Measured, *, command: str, out: Path | None, keep: bool) -> None:
    """Add the rows to the JSON file `out`, and, to keep, to the Markdown file of this day and machine."""
    now = datetime.now(UTC)
    facts = {"date": now.isoformat(timespec="minutes"), "command": command, **surroundings()}
    if out is not None:
        known = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
        known.append({"benchmark": measured.name, **facts, "rows": measured.rows})
        out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    if keep:
        page = RESULTS / f"{now.date()}-{machine()}.md"
        page.parent.mkdir(exist_ok=True)
        heading = "" if page.exists() else f"# {now.date()}, {machine()}\n"
        with page.open("a", encoding="utf-8") as lines:
            lines.write(f"{heading}\n## {measured.name}\n\n{measured.about}\n\n{table(measured.rows)}\n\n")
            lines.write("; ".join(f"{name}: {value}" for name, value in facts.items()) + "\n")


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
    return "" if value is None else str(value)
