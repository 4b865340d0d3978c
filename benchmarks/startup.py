"""How long a person waits before anything happens."""

import statistics
import subprocess
import sys
import time

from choices import Row, Setup

COMMANDS = {
    "python, nothing": ("-c", "pass"),
    "import bertsmith": ("-c", "import bertsmith"),
    "bertsmith --help": ("-m", "bertsmith", "--help"),
    "bertsmith finetune --help": ("-m", "bertsmith", "finetune", "--help"),
}


def startup(setup: Setup) -> list[Row]:
    """Seconds from the call to the end of commands that compute nothing."""
    rounds = setup.size(11, quick=3)
    rows: list[Row] = []
    for name, words in COMMANDS.items():
        seconds = [seconds_of(words) for _ in range(rounds)]
        rows.append(
            {"command": name, "median s": round(statistics.median(seconds), 3), "fastest s": round(min(seconds), 3)}
        )
    return rows


def seconds_of(words: tuple[str, ...]) -> float:
    """Run Python with these words, in a process of its own."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
