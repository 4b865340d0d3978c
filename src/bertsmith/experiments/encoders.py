"""Encoders that options start from: made once, in a process of its own, and used by every seed."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bertsmith.data import Record, write_rows
from bertsmith.data.grams import comparable
from bertsmith.data.record import USUAL_COLUMNS
from bertsmith.errors import Interrupted
from bertsmith.experiments.child import PATIENCE
from bertsmith.experiments.laddering import Extra, Ladder
from bertsmith.experiments.places import ENCODERS
from bertsmith.experiments.rungs import AnyEncoder, FurtherEncoder
from bertsmith.experiments.runner import GLANCE
from bertsmith.files import write_text, writing
from bertsmith.recipes import METRICS, RECIPE, FinetuneRecipe, Splits
from bertsmith.recipes.multitask_schema import MultiTaskRecipe, TaskRecipe
from bertsmith.recipes.watching import Say, silent
from bertsmith.training.signals import StopSignals

PROGRAM = (sys.executable, "-m", "bertsmith")

OWN = "target"
"""What the task of the ladder is called among several."""


@dataclass(frozen=True, slots=True)
class Made:
    """An encoder on disk and what it cost; `why` says why there is none."""

    folder: Path
    seconds: float = 0.0
    why: str | None = None


@dataclass
class Workshop:
    """Makes encoders by `bertsmith pretrain` and `finetune`; what is made stays, what was begun is gone on with."""

    folder: Path
    splits: Splits
    ladder: Ladder = field(default_factory=Ladder)
    threads: int = 1
    say: Say = silent
    program: Sequence[str] = PROGRAM
    failed: dict[Path, Made] = field(default_factory=dict, init=False)

    def place(self, encoder: AnyEncoder, base: FinetuneRecipe) -> Path:
        """Where an encoder lies; its name tells what it is."""
        start = re.sub(r"\W+", "-", Path(str(base.start.model)).name)
        what = f"{encoder.corpus}-{encoder.steps}" if isinstance(encoder, FurtherEncoder) else encoder.kind
        return self.folder / ENCODERS / f"{start}-{what}"

    def spent(self) -> float:
        """Seconds that the encoders made so far have cost."""
        found = (self.folder / ENCODERS).glob(f"*/{METRICS}")
        return sum((float(json.loads(path.read_text(encoding="utf-8"))["seconds"]) for path in found), start=0.0)

    def clear(self, kept: Sequence[str | None]) -> None:
        """Remove the encoders that are not among these folders, but for what they cost, and the texts they read."""
        place = self.folder / ENCODERS
        with writing(place):
            for path in place.iterdir() if place.is_dir() else ():
                if path.is_dir() and str(path) not in kept:
                    _empty(path)
                elif path.suffix == ".jsonl":
                    path.unlink()

    def found(self, encoder: AnyEncoder, base: FinetuneRecipe, *, weights: bool = True) -> Made | None:
        """An encoder that was made; `weights`: that has not been cleared away since."""
        folder = self.place(encoder, base)
        if not (folder / METRICS).exists() or (weights and not (folder / "model.safetensors").exists()):
            return None
        return Made(folder, float(json.loads((folder / METRICS).read_text(encoding="utf-8"))["seconds"]))

    def made(self, encoder: AnyEncoder, base: FinetuneRecipe, *, seconds: float = float("inf")) -> Made:
        """Make an encoder, unless it is there, within so many seconds.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the state is saved.
        """
        folder = self.place(encoder, base)
        if folder in self.failed:
            return self.failed[folder]
        there = self.found(encoder, base)
        if there is not None:
            return there
        why = self._run(self._arguments(encoder, base, folder), folder, seconds)
        made = self.found(encoder, base)
        if why is None and made is not None:
            return made
        self.failed[folder] = Made(folder, why=why or "nothing came of it")
        self.say(f"{folder.name}: {self.failed[folder].why}")
        return self.failed[folder]

    def _arguments(self, encoder: AnyEncoder, base: FinetuneRecipe, folder: Path) -> list[str]:
        texts = self._texts()
        if isinstance(encoder, FurtherEncoder):
            arguments = self._pretrain(encoder, base, texts)
        else:
            arguments = self._finetune(base, texts, folder.with_suffix(".yaml"))
        goes_on = "--resume" if (folder / RECIPE).exists() else "--overwrite"
        return [*arguments, "--out", str(folder), "--device", base.device, goes_on, "--json"]

    def _pretrain(self, encoder: FurtherEncoder, base: FinetuneRecipe, texts: Mapping[str, Path]) -> list[str]:
        """Further pre-training; texts of dev and test are kept out of the corpus."""
        corpus = [texts["train"]] if encoder.corpus == "task" else self.ladder.in_domain
        preset = "within-task" if encoder.corpus == "task" else "in-domain"
        aside = [path for name, path in texts.items() if name != "train"]
        return [
            *("pretrain", "--model", str(base.start.model), "--preset", preset, "--steps", str(encoder.steps)),
            *("--corpus", *map(str, corpus), "--exclude", *map(str, aside)),
            *("--seed", str(base.seed), "--set", f"precision={base.precision}", "--set", "corpus.held_out_share=0"),
        ]

    def _finetune(self, base: FinetuneRecipe, texts: Mapping[str, Path], path: Path) -> list[str]:
        """All tasks together, this one as the baseline learns it; test is not read."""
        values = base.model_dump(mode="json")
        own = {name: values[name] for name in TaskRecipe.model_fields.keys() & values.keys() - {"batches"}}
        files = {name: str(file) for name, file in texts.items() if name != "test"}
        tasks: dict[str, Any] = {OWN: {**own, "data": files}}
        for name, one in self.ladder.extra.items():
            tasks[name] = {
                "task": one.task.model_dump(mode="json"),
                "data": {"train": str(self._allowed(name, one))},
                "document": {"max_length": base.document.max_length},
            }
        shared = MultiTaskRecipe.model_fields.keys() & values.keys() - {"kind", "selection", "data"}
        recipe = {"kind": "multitask", "tasks": tasks, **{name: values[name] for name in shared}}
        recipe["selection"] = {"metric": f"{OWN}.{base.selection.metric}"}
        write_text(path, yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False))
        return ["finetune", "--recipe", str(path)]

    def _allowed(self, name: str, extra: Extra) -> Path:
        """The texts of another task, without those that stand in our dev or test texts."""
        aside = [rows for split, rows in self.splits.named().items() if split != "train"]
        hidden = {comparable(text) for rows in aside for text in rows.all_texts}
        records = list(extra.task.read(extra.train, USUAL_COLUMNS))
        kept = [each for each in records if not {comparable(text) for text in _all_texts(each)} & hidden]
        if len(kept) < len(records):
            self.say(
                f"{name}: {len(records) - len(kept):,} of {len(records):,} rows left out: they stand in dev or test"
            )
        path = self.folder / ENCODERS / f"extra-{name}.jsonl"
        write_rows(path, map(_row, kept))
        return path

    def _texts(self) -> dict[str, Path]:
        """The rows of every split as a file."""
        paths = {}
        for name, rows in self.splits.named().items():
            paths[name] = self.folder / ENCODERS / f"{name}.jsonl"
            write_rows(paths[name], map(_row, rows.records))
        return paths

    def _run(self, arguments: Sequence[str], folder: Path, seconds: float) -> str | None:
        """Run the command; returns why nothing came of it."""
        log = folder.with_suffix(".log")
        until = time.monotonic() + seconds
        self.say(f"{folder.name}: making the encoder")
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
                raise Interrupted("stopped while an encoder was made; its state is saved, go on with --resume")
        if process.returncode == 130:
            return "the time was over before it was done; --resume goes on"
        if process.returncode:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return f"failed: {lines[-1].removeprefix('error: ') if lines else f'exit code {process.returncode}'}"
        return None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != METRICS:
            path.unlink()


def _all_texts(record: Record) -> list[str]:
    return [record.text, *([] if record.text_pair is None else [record.text_pair])]


def _row(record: Record) -> dict[str, Any]:
    """A record as a line of a data file."""
    pair = {} if record.text_pair is None else {"text_pair": record.text_pair}
    if record.marks is not None:
        return {"text": record.text, "spans": [list(span) for span in record.marks.spans]}
    label = list(record.label) if isinstance(record.label, tuple) else record.label
    return {"text": record.text, **pair, "label": label}
