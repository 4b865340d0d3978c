"""The folder of an experiment: begun, gone on with, finished."""

import os
import shutil
from pathlib import Path
from typing import Protocol, runtime_checkable

from bertsmith.experiments.places import ENCODERS, JOURNAL, SPLITS, TRIALS
from bertsmith.files import atomic_folder, write_text, writing
from bertsmith.recipes import METRICS, RECIPE

BEST, ENSEMBLE, TABLE = "best", "ensemble", "trials.csv"
LADDER, LADDER_RECIPE = "ladder.json", "ladder.yaml"
LEFT = (
    *(METRICS, "config.json", "report.html", "README.md", TABLE, "predictions_folds.jsonl", "predictions_test.jsonl"),
    *(BEST, ENSEMBLE, "members", JOURNAL, SPLITS, TRIALS, LADDER, LADDER_RECIPE, ENCODERS),
)
"""What an experiment leaves in its folder beside `recipe.yaml`, what tells that it is complete first."""


@runtime_checkable
class Written(Protocol):
    """A recipe that knows how it is written."""

    def yaml(self) -> str:
        """As the file that `--recipe` reads."""
        ...


def begin_folder(out: Path, recipe: Written, *, anew: bool) -> None:
    """Write `recipe.yaml`; `anew` removes what an earlier experiment left, else its trials are gone on with.

    Raises:
        UserError: the folder cannot be written.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / METRICS).unlink(missing_ok=True)
        for path in (out / name for name in LEFT if anew):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    write_text(out / RECIPE, recipe.yaml())


def finish_experiment(out: Path) -> None:
    """Remove the copies of the rows: a search that is gone on with writes them again."""
    with writing(out):
        shutil.rmtree(out / SPLITS, ignore_errors=True)


def link_model(trial: Path, target: Path, *, without: tuple[str, ...]) -> None:
    """Give the files of a trial's folder a second name, or copy them where the disk has no links.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic_folder(target) as temporary:
        for path in sorted(trial.iterdir()):
            if not path.is_file() or path.name in without:
                continue
            try:
                os.link(path, temporary / path.name)
            except OSError:
                shutil.copy2(path, temporary / path.name)
