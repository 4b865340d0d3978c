"""A process that runs one trial: started, watched, stopped."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bertsmith.experiments.course import read_course
from bertsmith.experiments.places import COURSE, OUTCOME, OUTPUT, TRIAL
from bertsmith.experiments.trial import Evaluation, Outcome, Trial
from bertsmith.files import json_line, write_text

PROGRAM = (sys.executable, "-m", "bertsmith.experiments.worker")
"""What runs a trial; it is given the folder."""

PATIENCE = 60.0
"""Seconds a trial has to save its state when it is asked to stop."""


class Child:
    """A trial on its way. It dies with this process, whatever kills that."""

    def __init__(self, trial: Trial, folder: Path, *, program: Sequence[str], device: str | None = None) -> None:
        self.trial = trial
        self.folder = folder
        self.began = time.monotonic()
        self._seen = -1.0
        self._course: tuple[Evaluation, ...] = ()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OUTCOME).unlink(missing_ok=True)
        write_text(folder / TRIAL, json_line(trial.model_dump(mode="json")) + "\n")
        with (folder / OUTPUT).open("wb") as output:
            self._process = subprocess.Popen(
                [*program, str(folder)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(trial, device),
                start_new_session=True,
            )

    def course(self) -> Sequence[Evaluation]:
        """The evaluations so far."""
        path = self.folder / COURSE
        changed = path.stat().st_mtime if path.exists() else -1.0
        if changed != self._seen:
            self._seen, self._course = changed, read_course(path)
        return self._course

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Let it save its state and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        """End it at once, and wait until it has."""
        self._process.kill()
        self.wait()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until it has ended; after so many seconds it is killed."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()

    def outcome(self) -> Outcome:
        """What came of it, now that it has ended."""
        path = self.folder / OUTCOME
        if path.exists():
            return Outcome.model_validate(json.loads(path.read_text(encoding="utf-8")))
        return self.without_result("failed").but(error=self._last_words(), code="died")

    def without_result(self, status: str) -> Outcome:
        """The outcome of a trial that did not get to its end."""
        return Outcome(
            key=self.folder.name,
            name=self.trial.name,
            splits=self.trial.splits,
            seed=self.trial.recipe.seed,
            status=status,
            course=tuple(self.course()),
            seconds=round(time.monotonic() - self.began, 3),
        )

    def _last_words(self) -> str:
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        memory = "; the memory may have been too small" if code == -9 else ""
        lines = (self.folder / OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()
        told = f"; its last words: {lines[-1]}" if lines else ""
        return f"the process {how}{memory}{told}"


def _environment(trial: Trial, device: str | None) -> Mapping[str, str]:
    threads = {} if trial.recipe.threads is None else {"OMP_NUM_THREADS": str(trial.recipe.threads)}
    gpu = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
    return {**os.environ, "TOKENIZERS_PARALLELISM": "false", **threads, **gpu}
