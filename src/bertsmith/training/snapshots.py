"""The state of a run on disk: written whole or not at all, read without trust, the last two kept."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bertsmith.config import Config, parse_config
from bertsmith.errors import UserError
from bertsmith.files import atomic_folder, write_tensors, write_text, writing


class Progress(Config):
    """Where a run stands, counted in updates; everything else about the position follows from `step`."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    evaluated_step: int = 0
    best_step: int | None = None
    best_metrics: dict[str, float] = Field(default={})
    last_metrics: dict[str, float] = Field(default={})
    evaluations_without_best: int = 0
    stopped_early: bool = False


class Header(Config):
    """What a snapshot says about itself: which run, where, computed how."""

    identity: str
    environment: dict[str, str]
    progress: Progress


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a run stands and all it needs to go on.

    `average` are the averaged weights, if the run has them. `best` are the best weights so far, None if
    there are none or they are `average` or, without one, `model`. `environment` says what else decides
    the last digits: versions, threads, dtype.
    """

    progress: Progress
    environment: Mapping[str, str]
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    best: Mapping[str, Tensor] | None
    average: Mapping[str, Tensor] | None = None


class Snapshots:
    """A folder of snapshots, `step-00000120/` each.

    `identity` names the run (a hash of its recipe and data): a snapshot of another run is refused.
    """

    def __init__(self, folder: Path, *, identity: str = "") -> None:
        self._folder = folder
        self._identity = identity

    def save(self, snapshot: Snapshot) -> None:
        """Write a snapshot, then forget all but the last two.

        Raises:
            UserError: the disk is full or the place cannot be written; older snapshots are kept.
        """
        header = Header(identity=self._identity, environment=dict(snapshot.environment), progress=snapshot.progress)
        with atomic_folder(self._path(snapshot.progress.step)) as folder:
            write_tensors(folder / "model.safetensors", snapshot.model)
            write_tensors(folder / "optimizer.safetensors", snapshot.optimizer)
            if snapshot.best is not None:
                write_tensors(folder / "best.safetensors", snapshot.best)
            if snapshot.average is not None:
                write_tensors(folder / "average.safetensors", snapshot.average)
            write_text(folder / "progress.json", header.model_dump_json(indent=1) + "\n")
        for old in self.steps()[:-2]:
            shutil.rmtree(self._path(old), ignore_errors=True)

    def newest(self, notice: Callable[[str], None]) -> Snapshot | None:
        """The newest snapshot that can be read; broken ones are named and passed over.

        Raises:
            UserError: it belongs to another run.
        """
        for step in reversed(self.steps()):
            try:
                return self._read(self._path(step))
            except (OSError, SafetensorError, ValueError) as error:
                if isinstance(error, UserError) and error.code == "other_run":
                    raise
                notice(f"snapshot {self._path(step)} cannot be read ({error}); trying the one before")
        return None

    def read(self, step: int) -> Snapshot:
        """The snapshot of this step, known to be readable."""
        return self._read(self._path(step))

    def steps(self) -> list[int]:
        """Steps of the snapshots there are, oldest first."""
        return sorted(int(path.name.removeprefix("step-")) for path in self._folder.glob("step-" + "[0-9]" * 8))

    def clear(self) -> None:
        """Remove all snapshots, and the folder if nothing else is in it."""
        with writing(self._folder):
            for step in self.steps():
                shutil.rmtree(self._path(step))
            if self._folder.is_dir() and not any(self._folder.iterdir()):
                self._folder.rmdir()

    def _path(self, step: int) -> Path:
        return self._folder / f"step-{step:08}"

    def _read(self, folder: Path) -> Snapshot:
        path = folder / "progress.json"
        header = parse_config(Header, json.loads(path.read_text(encoding="utf-8")), where=str(path))
        if header.identity != self._identity:
            raise UserError(
                f"{folder} belongs to a run with other settings or data; "
                "repeat the command that made it to go on, or start anew with --overwrite",
                code="other_run",
                where=str(folder),
            )
        best, average = folder / "best.safetensors", folder / "average.safetensors"
        return Snapshot(
            progress=header.progress,
            environment=header.environment,
            model=load_file(folder / "model.safetensors"),
            optimizer=load_file(folder / "optimizer.safetensors"),
            best=load_file(best) if best.exists() else None,
            average=load_file(average) if average.exists() else None,
        )


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What a user should know about a snapshot made in another environment."""
    return [
        f"the snapshot was made with {name} {before[name]}, now it is {now[name]}: results may differ in last digits"
        for name in sorted(before.keys() & now.keys())
        if before[name] != now[name]
    ]
