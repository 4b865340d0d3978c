"""Runs the trials of a runner in this process, one after the other: the same work without new interpreters."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bertsmith.experiments import Trial, runner
from bertsmith.experiments.child import Child
from bertsmith.experiments.course import read_course
from bertsmith.experiments.places import COURSE, TRIAL
from bertsmith.experiments.worker import work
from bertsmith.files import write_text


class InlineChild(Child):
    """Has ended when it begins to be watched."""

    def __init__(self, trial: Trial, folder: Path, *, program: Sequence[str], device: str | None = None) -> None:
        self.trial, self.folder, self.began = trial, folder, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / TRIAL, json.dumps(trial.model_dump(mode="json")))
        work(folder)

    def course(self):
        return read_course(self.folder / COURSE)

    @property
    def code(self):
        return 0

    def kill(self):
        pass

    def wait(self, seconds=None):
        pass


def run_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Child", InlineChild)
