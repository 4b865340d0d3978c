"""Encoders that options start from: made once, in a process of its own, and used by every seed."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bertsmith.data import write_rows
from bertsmith.errors import Interrupted
from bertsmith.experiments.child import PATIENCE
from bertsmith.experiments.places import ENCODERS
from bertsmith.experiments.rungs import FurtherEncoder
from bertsmith.experiments.runner import GLANCE
from bertsmith.files import writing
from bertsmith.recipes import METRICS, FinetuneRecipe, Splits
from bertsmith.recipes.watching import Say, silent
from bertsmith.training.signals import StopSignals

PROGRAM = (sys.executable, "-m", "bertsmith")


@dataclass(frozen=True, slots=True)
class Made:
    """An encoder on disk and what it cost; `why` says why there is none."""

    folder: Path
    seconds: float = 0.0
    tokens_per_second: float | None = None
    why: str | None = None


@dataclass
class Workshop:
    """Makes encoders by `bertsmith pretrain`; what is made stays, what was begun is gone on with."""

    folder: Path
    splits: Splits
    in_domain: Sequence[Path] = ()
    threads: int = 1
    say: Say = silent
    program: Sequence[str] = PROGRAM
    failed: dict[Path, Made] = field(default_factory=dict, init=False)

    def place(self, encoder: FurtherEncoder, base: FinetuneRecipe) -> Path:
        """Where an encoder lies; its name tells what it is."""
        start = re.sub(r"\W+", "-", Path(str(base.start.model)).name)
        return self.folder / ENCODERS / f"{start}-{encoder.corpus}-{encoder.steps}"

    def spent(self) -> float:
        """Seconds that the encoders made so far have cost."""
        found = (self.folder / ENCODERS).glob(f"*/{METRICS}")
        return sum(float(json.loads(path.read_text(encoding="utf-8"))["seconds"]) for path in found)

    def clear(self, kept: Sequence[str | None]) -> None:
        """Remove the encoders that are not among these folders, and the texts they read."""
        place = self.folder / ENCODERS
        with writing(place):
            for path in place.iterdir() if place.is_dir() else ():
                if path.is_dir() and str(path) not in kept:
                    shutil.rmtree(path)
                elif path.suffix == ".jsonl":
                    path.unlink()

    def made(self, encoder: FurtherEncoder, base: FinetuneRecipe, *, seconds: float = float("inf")) -> Made:
        """Make an encoder, unless it is there, within so many seconds.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the state is saved.
        """
        folder = self.place(encoder, base)
        if folder in self.failed:
            return self.failed[folder]
        if not (folder / METRICS).exists():
            why = self._run(self._arguments(encoder, base, folder), folder, seconds)
            if why is not None:
                self.say(f"{folder.name}: {why}")
                self.failed[folder] = Made(folder, why=why)
                return self.failed[folder]
        told = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        return Made(folder, float(told["seconds"]), told["tokens_per_second"])

    def _arguments(self, encoder: FurtherEncoder, base: FinetuneRecipe, folder: Path) -> list[str]:
        texts = self._texts()
        corpus = [texts["train"]] if encoder.corpus == "task" else list(self.in_domain)
        preset = "within-task" if encoder.corpus == "task" else "in-domain"
        aside = [path for name, path in texts.items() if name != "train"]
        given = {
            **{"--model": str(base.start.model), "--preset": preset, "--steps": str(encoder.steps)},
            **{"--out": str(folder), "--seed": str(base.seed), "--device": base.device},
        }
        settings = [f"precision={base.precision}", "corpus.held_out_share=0"]
        return [
            "pretrain",
            *(part for pair in given.items() for part in pair),
            *("--corpus", *map(str, corpus), "--exclude", *map(str, aside)),
            *(part for setting in settings for part in ("--set", setting)),
            *("--resume" if folder.exists() else "--overwrite", "--json"),
        ]

    def _texts(self) -> dict[str, Path]:
        """The texts of every split as a file; those of dev and test are kept out of the corpus."""
        paths = {}
        for name, rows in self.splits.named().items():
            paths[name] = self.folder / ENCODERS / f"{name}.jsonl"
            pairs = (("text", "text_pair") if record.text_pair is not None else ("text",) for record in rows.records)
            write_rows(
                paths[name],
                (
                    {each: getattr(record, each) for each in names}
                    for names, record in zip(pairs, rows.records, strict=True)
                ),
            )
        return paths

    def _run(self, arguments: Sequence[str], folder: Path, seconds: float) -> str | None:
        """Run the command; returns why nothing came of it."""
        log = folder.with_suffix(".log")
        until = time.monotonic() + seconds
        self.say(f"{folder.name}: further pre-training")
        with writing(log), log.open("wb") as output, StopSignals() as signals:
            process = subprocess.Popen(
                [*self.program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": str(self.threads)},
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    if signals.asked or time.monotonic() > until:
                        process.terminate()
                        process.wait(PATIENCE)
                        break
                    time.sleep(GLANCE)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if signals.asked:
                raise Interrupted("stopped in further pre-training; its state is saved, go on with --resume")
        if process.returncode == 130:
            return "the time was over before it was done; --resume goes on"
        if process.returncode:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return f"failed: {lines[-1].removeprefix('error: ') if lines else f'exit code {process.returncode}'}"
        return None
