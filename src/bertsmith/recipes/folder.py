"""The folder of a run: made ready once training can begin, complete at the end."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from bertsmith.config import Config
from bertsmith.errors import UserError
from bertsmith.files import LOCK, locked, writing
from bertsmith.recipes.schema import write_recipe

RECIPE, LOG, METRICS, SNAPSHOTS = "recipe.yaml", "log.jsonl", "metrics.json", "checkpoints"
STAGE_LOGS = "log_*.jsonl"
FINAL = "final"
"""Logs of stages beside the main one, and the models of tasks that went on alone."""
LEAVES = (
    *(RECIPE, LOG, STAGE_LOGS, METRICS, SNAPSHOTS, "predictions_*.jsonl", "report.html", "README.md"),
    *("config.json", "model.safetensors", "generator", FINAL),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"),
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
    *("[0-9]_Pooling", "[0-9]_Dense", "[0-9]_Normalize"),
)
"""What a run leaves in its folder."""


@contextmanager
def holding_folder(out: Path | None) -> Iterator[None]:
    """Hold the folder of a run alone while it learns, so that no second one mixes its files in; None: there is none.

    Raises:
        UserError: another process is learning there, or the folder cannot be written.
    """
    if out is None:
        yield
        return
    new = [path for path in (out, *out.parents) if not path.exists()]
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        file = locked(out)
    if file is None:
        raise UserError(
            f"--out {out}: another process is learning there; wait until it is done, or choose another folder",
            code="run_busy",
            where=str(out),
        )
    try:
        with file:
            try:
                yield
            finally:
                with suppress(OSError):
                    (out / LOCK).unlink()
    finally:
        with suppress(OSError):
            for path in new:  # where nothing was begun, nothing stays
                path.rmdir()


def prepare_folder(out: Path, recipe: Config, *, keep_snapshots: bool) -> None:
    """Write `recipe.yaml` where an earlier run's files were; snapshots and log stay if this run goes on from them.

    Files that no run writes are left alone. metrics.json goes first and recipe.yaml last, so that a
    folder half cleared is never taken for a complete run.

    Raises:
        UserError: the folder cannot be written.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for path in _replaced(out, keep_snapshots=keep_snapshots):
            _remove(path)
    write_recipe(recipe, out / RECIPE)


@contextmanager
def preparing_folder(out: Path, recipe: Config, *, keep_snapshots: bool) -> Iterator[None]:
    """Prepare the folder for a run that learns only there whether it fits: an error brings the earlier run back.

    After a kill the new run is there to be gone on with, and the earlier one goes when it is.

    Raises:
        UserError: the folder cannot be written.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        earlier = _replaced(out, keep_snapshots=keep_snapshots)
        aside = Path(tempfile.mkdtemp(prefix=f".{SNAPSHOTS}.", dir=out))
    try:
        with writing(out):
            if (out / RECIPE).exists():
                shutil.copy2(out / RECIPE, aside)
            for path in earlier:
                os.replace(path, aside / path.name)
        write_recipe(recipe, out / RECIPE)
        yield
    except Exception:
        if any(aside.iterdir()):
            _bring_back(out, aside, keep_snapshots=keep_snapshots)
        aside.rmdir()
        raise
    shutil.rmtree(aside)


def finish_folder(out: Path) -> None:
    """Remove the snapshots: the run is complete."""
    with writing(out):
        shutil.rmtree(out / SNAPSHOTS, ignore_errors=True)


def is_complete(out: Path) -> bool:
    """Whether a run has written everything here."""
    return (out / METRICS).exists() and not (out / SNAPSHOTS).exists()


def require_run(out: Path) -> None:
    """Make sure that going on in `out` would not clear away a model that no run of ours made.

    Raises:
        UserError: there is a model, or a part of one, but no recipe.yaml.
    """
    if (out / RECIPE).exists() or not out.is_dir():
        return
    found = sorted(path.name for path in out.iterdir() if any(fnmatch(path.name, pattern) for pattern in LEAVES))
    if found:
        raise UserError(
            f"--out {out} holds {found[0]} but no {RECIPE}, so there is no run to go on with; "
            "choose another folder, or replace what is there with --overwrite",
            code="not_a_run",
            where=str(out),
        )


def _replaced(out: Path, *, keep_snapshots: bool) -> list[Path]:
    """What an earlier run left and a new one does not keep, metrics.json first; recipe.yaml is written over."""
    kept = (RECIPE, SNAPSHOTS, LOG, STAGE_LOGS) if keep_snapshots else (RECIPE,)
    left = [path for path in out.iterdir() if _is_left_by_a_run(path.name)]
    gone = [path for path in left if not any(fnmatch(path.name, name) for name in kept)]
    return sorted(gone, key=lambda path: path.name != METRICS)


def _bring_back(out: Path, aside: Path, *, keep_snapshots: bool) -> None:
    """Put what was set aside in the place of what was begun, metrics.json last."""
    with writing(out):
        for path in _replaced(out, keep_snapshots=keep_snapshots):
            if path != aside:
                _remove(path)
        for path in sorted(aside.iterdir(), key=lambda path: path.name == METRICS):
            os.replace(path, out / path.name)


def _is_left_by_a_run(name: str) -> bool:
    """Also what a killed run was just writing: `.metrics.json.x1y2z3w4`."""
    return any(fnmatch(name, pattern) or fnmatch(name, f".{pattern}.????????") for pattern in LEAVES)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
