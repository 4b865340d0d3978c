"""One trial in a process of its own: `python -m bertsmith.experiments.worker FOLDER`.

The folder holds `trial.json`; the worker leaves `outcome.json`, `dev.safetensors` and, as the trial
wants it, the model. The process lives as long as its standard input is open: whoever started it stops
it by closing that, or by dying.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from bertsmith.config import parse_config
from bertsmith.errors import Interrupted, UserError
from bertsmith.experiments.course import CourseFile, read_course
from bertsmith.experiments.places import COURSE, OUTCOME, SPLITS, TRIAL
from bertsmith.experiments.rows import read_stored
from bertsmith.experiments.said import Said, write_said
from bertsmith.experiments.trial import Outcome, Trial
from bertsmith.files import json_line, write_text
from bertsmith.recipes import LOG, FinetuneResult, finetune, finish_folder, save_bundle
from bertsmith.training import LogFile, progress_listener

Keep = Callable[[FinetuneResult, Path], object]
"""Writes what stays of a trial that is kept."""


def work(folder: Path, *, keep: Keep | None = None) -> Outcome:
    """Run the trial of a folder, from its newest snapshot if it was begun; a failure is an outcome too.

    Raises:
        Interrupted: it was asked to stop; the state is saved.
    """
    began = time.perf_counter()
    path = folder / TRIAL
    trial = parse_config(Trial, json.loads(path.read_text(encoding="utf-8")), where=str(path))
    blank = Outcome(key=folder.name, name=trial.name, splits=trial.splits, seed=trial.recipe.seed, status="done")
    try:
        outcome = _ran(trial, folder, keep or _keep_model, blank)
    except Interrupted:
        raise
    except UserError as error:
        outcome = blank.but(status="failed", error=error.message, code=error.code)
    except Exception as error:
        traceback.print_exc()
        outcome = blank.but(status="failed", error=f"{type(error).__name__}: {error}", code="bug")
    outcome = outcome.but(seconds=round(time.perf_counter() - began, 3), course=read_course(folder / COURSE))
    write_text(folder / OUTCOME, json_line(outcome.told) + "\n")
    return outcome


def _ran(trial: Trial, folder: Path, keep: Keep, blank: Outcome) -> Outcome:
    splits = read_stored(trial.splits, folder.parent.parent / SPLITS, test=trial.test)
    listeners = (CourseFile(folder / COURSE), LogFile(folder / LOG), progress_listener())
    result = finetune(trial.recipe, splits, out=folder, resume=True, listeners=listeners)
    for name, measured in result.measured.items():
        write_said(Said(measured.answers, measured.outputs), folder / f"{name}.safetensors")
    if trial.keep:
        keep(result, folder)
    finish_folder(folder)
    summary = result.summary()
    return blank.but(
        metrics={name: dict(measured.metrics) for name, measured in result.measured.items()},
        tokens_per_second=summary["tokens_per_second"],
        device=str(result.device),
        best_step=result.training.best_step,
        notes=result.notes,
    )


def _keep_model(result: FinetuneResult, folder: Path) -> None:
    save_bundle(result.bundle, folder)


def main(keep: Keep | None = None) -> int:
    """Run the trial whose folder is the one argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow_stdin, daemon=True).start()
    try:
        work(Path(sys.argv[1]), keep=keep)
    except (Interrupted, KeyboardInterrupt):
        return 130
    return 0


def _follow_stdin() -> None:
    """Stop, as a signal would, when nobody holds the other end any longer."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
