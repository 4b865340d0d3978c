"""The folder of a run: made ready before training, complete at the end."""

import shutil
from pathlib import Path

from bertsmith.files import writing


def prepare_folder(out: Path, *, keep_snapshots: bool) -> None:
    """Remove what an earlier run left in `out`; snapshots and the log stay if this run goes on from them."""
    kept = {"checkpoints", "log.jsonl", "recipe.yaml"} if keep_snapshots else set()
    with writing(out):
        for path in out.iterdir():
            if path.name in kept:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def finish_folder(out: Path) -> None:
    """Remove the snapshots: the run is complete."""
    with writing(out):
        shutil.rmtree(out / "checkpoints", ignore_errors=True)
