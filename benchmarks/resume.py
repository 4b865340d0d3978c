"""Kills every pre-training objective with SIGKILL in mid-epoch, resumes it, and compares bytes with an unbroken run.

python benchmarks/resume.py --data path/to/data [--objectives wwm electra]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bertsmith.data.corpus import Corpus
from bertsmith.pretraining import OBJECTIVES

SOURCE = "raw/zh_mixed_part1.txt.xz"
CHARACTERS = 200_000
STEPS, SNAPSHOT_EVERY, KILL_AFTER = 120, 40, 60
SHAPE = {"num_layers": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64}


@dataclass(frozen=True)
class Outcome:
    """What became of one objective."""

    objective: str
    killed_at: int
    resumed_at: int
    epochs: float
    files: int
    equal: bool
    seconds: float

    def row(self) -> str:
        """A line of the table."""
        equal = "yes" if self.equal else "NO"
        cells = (self.objective, self.killed_at, self.resumed_at, f"{self.epochs:.2f}", self.files, equal)
        return f"| {' | '.join(map(str, cells))} | {self.seconds:.0f} |"


def main() -> int:
    """Try the objectives one by one; 1 if any ended differently."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--objectives", nargs="+", choices=list(OBJECTIVES), default=list(OBJECTIVES))
    chosen = parser.parse_args()
    print("| objective | killed after step | resumed from | epochs in all | weights files | equal bytes | seconds |")
    print("|---|--:|--:|--:|--:|---|--:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(chosen.data / SOURCE, folder)
        outcomes = []
        for objective in chosen.objectives:
            outcomes.append(tried(objective, folder))
            print(outcomes[-1].row(), flush=True)
    return 0 if all(outcome.equal for outcome in outcomes) else 1


def prepare(source: Path, folder: Path) -> None:
    """A slice of real text, and the shape of an encoder."""
    lines, size = [], 0
    for paragraph in Corpus(paths=(source,)).paragraphs():
        lines.append(f"\n{paragraph.text}" if paragraph.opens else paragraph.text)
        size += len(paragraph.text)
        if size > CHARACTERS:
            break
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "shape.json").write_text(json.dumps(SHAPE))


def tried(objective: str, folder: Path) -> Outcome:
    """Run it whole, run it with a kill and a second start, compare."""
    began = time.perf_counter()
    whole, broken = folder / f"{objective}-whole", folder / f"{objective}-broken"
    subprocess.run(command(objective, folder, whole), env=environment(), check=True, capture_output=True)
    process = subprocess.Popen(
        command(objective, folder, broken), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while steps_logged(broken) < KILL_AFTER and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    killed_at = steps_logged(broken)
    assert not (broken / "metrics.json").exists(), f"{objective} was done before it could be killed"
    resumed_at = max(int(path.name.removeprefix("step-")) for path in (broken / "checkpoints").glob("step-*"))
    again = [sys.executable, "-m", "bertsmith", "pretrain", "--out", str(broken), "--resume", "--json"]
    subprocess.run(again, env=environment(), check=True, capture_output=True)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*.safetensors"))
    equal = bool(files) and all((whole / path).read_bytes() == (broken / path).read_bytes() for path in files)
    lines = map(json.loads, (whole / "log.jsonl").read_text().splitlines())
    epochs = max(line.get("epoch", 0.0) for line in lines)
    return Outcome(objective, killed_at, resumed_at, epochs, len(files), equal, time.perf_counter() - began)


def command(objective: str, folder: Path, out: Path) -> list[str]:
    """The command line of a run."""
    settings = [f"snapshot_every={SNAPSHOT_EVERY}", "start.vocabulary.size=3000", "selection.every=1000"]
    if objective == "macbert":
        settings.append("objective.corrupt.replace.without_similar=random")
    given = {
        "objective": objective,
        "corpus": folder / "corpus.txt",
        "encoder": folder / "shape.json",
        "steps": STEPS,
        "batch-size": 8,
        "max-length": 64,
        "device": "cpu",
        "out": out,
    }
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    more = [part for setting in settings for part in ("--set", setting)]
    return [sys.executable, "-m", "bertsmith", "pretrain", *options, *more, "--json"]


def environment() -> dict[str, str]:
    """One thread, no network."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def steps_logged(out: Path) -> int:
    """The last update in the log; a line cut off by a kill does not count."""
    log = out / "log.jsonl"
    if not log.exists():
        return 0
    steps = [line.partition(b",")[0] for line in log.read_bytes().split(b"\n")[:-1]]
    return int(steps[-1].partition(b":")[2]) if steps else 0


if __name__ == "__main__":
    sys.exit(main())
