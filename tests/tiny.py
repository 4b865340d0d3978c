"""A tiny job for the tests of the upper layers: texts that can be told apart, an encoder of one layer, a run."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from bertsmith.cli import main

SHAPE = {"num_layers": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32}
WORDS = ["film", "was", "a", "story", "about", "old", "town", "people", "who", "walk", "slowly", "and", "talk"]
KIND = {"pos": ["good", "great", "fine", "lovely"], "neg": ["bad", "awful", "poor", "grim"]}

Row = tuple[str, ...]


class Told(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)


def rows(number: int, seed: int = 0) -> list[Row]:
    """Texts of four to nine words, two of which tell the label."""
    random = Random(seed)
    made = []
    for place in range(number):
        label = ("pos", "neg")[place % 2]
        words = random.sample(WORDS, random.randint(2, 7)) + random.sample(KIND[label], 2)
        random.shuffle(words)
        made.append((" ".join(words), label))
    return made


def write_table(path: Path, lines: Sequence[Row], header: str = "text,label") -> Path:
    path.write_text("\n".join([header, *(",".join(line) for line in lines)]) + "\n", encoding="utf-8")
    return path


def write_files(folder: Path) -> None:
    """shape.json, train.csv (40), dev.csv (12) and test.csv (14)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shape.json").write_text(json.dumps(SHAPE))
    for seed, (name, number) in enumerate({"train": 40, "dev": 12, "test": 14}.items()):
        write_table(folder / f"{name}.csv", rows(number, seed))


def arguments(folder: Path, *more: str, **options: str | Path | None) -> list[str]:
    """`finetune --json` on the files of a folder, in float32; `options` replace options, None leaves one out."""
    files = {name: folder / f"{name}.csv" for name in ("train", "dev", "test")}
    chosen = {"encoder": folder / "shape.json", **files, "epochs": "2", "batch_size": "8", "out": folder / "out"}
    chosen |= options
    given = [(f"--{name.replace('_', '-')}", str(value)) for name, value in chosen.items() if value is not None]
    return ["finetune", *(part for pair in given for part in pair), "--set", "precision=float32", "--json", *more]


def call(capsys: pytest.CaptureFixture[str], *command: str | Path) -> Told:
    """Run a command in this process."""
    capsys.readouterr()
    code = main([str(part) for part in command])
    return Told(code, *capsys.readouterr())


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **more}


def spawn(*command: str | Path, **settings: Any) -> Told:
    """Run a command in a process of its own."""
    settings = {"env": environment(), "timeout": 120, **settings}
    full = [sys.executable, "-m", "bertsmith", *map(str, command)]
    done = subprocess.run(full, capture_output=True, text=True, check=False, **settings)
    return Told(done.returncode, done.stdout, done.stderr)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
