"""The run that makes a sentence encoder: items and a recipe in, a trained and measured encoder out."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertsmith.errors import UserError
from bertsmith.files import json_line, write_text
from bertsmith.recipes.contrast_data import ItemSplits, read_item_splits
from bertsmith.recipes.contrast_result import ContrastResult, StageResult
from bertsmith.recipes.contrast_schema import ContrastRecipe, Stage
from bertsmith.recipes.contrast_stage import StageRun, prepared_stage
from bertsmith.recipes.folder import LOG, SNAPSHOTS, STAGE_LOGS, holding_folder, prepare_folder
from bertsmith.recipes.schema import Start, recipe_yaml, without_free
from bertsmith.recipes.sentence_bundle import save_sentence_bundle
from bertsmith.training import (
    Listener,
    LogFile,
    Noticed,
    Ranks,
    Snapshots,
    Surroundings,
    compute_dtype,
    joined,
    joined_ranks,
    local_rank,
    resolve_device,
    train,
    using_threads,
)

DONE = "stage.json"
"""In the folder of an earlier stage, once that is complete: what it found."""


def contrast(
    recipe: ContrastRecipe,
    *,
    splits: Sequence[ItemSplits] | None = None,
    out: Path | None = None,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
) -> ContrastResult:
    """Train stage by stage, keep what is best on dev, measure on dev and test.

    `splits` are the items of each stage, if they are at hand already. With `out`, recipe.yaml, logs and
    snapshots go there; several stages need it. Under torchrun the processes share the texts and
    exchange vectors.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
        Interrupted: a signal came; the state is saved.
    """
    began = time.perf_counter()
    device = resolve_device(recipe.device, local_rank=local_rank())
    if splits is None:
        splits = [read_item_splits(stage, seed=recipe.seed) for stage in recipe.stages]
    if recipe.then and out is None:
        raise UserError("a recipe of several stages keeps them in a folder: give out", code="bad_usage")
    with using_threads(recipe.threads), joined_ranks(device) as ranks, holding_folder(out if ranks.leads else None):
        course = _Course(recipe, out, resume, tuple(listeners), device, ranks)
        last = [course.stage(number, stage, own) for number, (stage, own) in enumerate(_numbered(recipe, splits))][-1]
        assert last is not None, "the last stage is complete only with the run"
        run, result = last
        return ContrastResult(
            recipe=recipe,
            bundle=run.kept,
            last=result,
            earlier=tuple(course.earlier),
            device=device,
            seconds=time.perf_counter() - began,
            leads=ranks.leads,
        )


@dataclass(frozen=True, slots=True)
class ContrastRehearsal:
    """What the first stage of a run would do: items, texts and losses by truncation, what is to be said."""

    items: int
    texts: int
    updates: int
    truncated: dict[str, int]
    notes: tuple[str, ...]


def rehearse_contrast(recipe: ContrastRecipe) -> ContrastRehearsal:
    """Read and load everything the first stage needs, train nothing, write nothing.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
    """
    splits = [read_item_splits(stage, seed=recipe.seed) for stage in recipe.stages]
    run = prepared_stage(recipe, recipe.stages[0], recipe.start, splits[0], resolve_device(recipe.device))
    cut = run.read.truncated
    return ContrastRehearsal(
        items=len(run.items),
        texts=len(run.read.ids),
        updates=run.updates.per_epoch(0),
        truncated={"texts": cut.texts, "tokens": cut.tokens},
        notes=run.notes,
    )


def _numbered(recipe: ContrastRecipe, splits: Sequence[ItemSplits]) -> list[tuple[Stage, ItemSplits]]:
    return list(zip(recipe.stages, splits, strict=True))


class _Course:
    """The stages of one run, one after the other; each starts with what the one before has left."""

    def __init__(
        self,
        recipe: ContrastRecipe,
        out: Path | None,
        resume: bool,  # noqa: FBT001 - a private class
        listeners: tuple[Listener, ...],
        device: torch.device,
        ranks: Ranks,
    ) -> None:
        self.recipe, self.out, self.resume, self.listeners = recipe, out, resume, listeners
        self.device, self.ranks = device, ranks
        self.start = recipe.start
        self.earlier: list[dict[str, Any]] = []
        self._begun = False

    def stage(self, number: int, stage: Stage, splits: ItemSplits) -> tuple[StageRun, StageResult] | None:
        """Train one stage, or take it as it is if an earlier process has completed it (None)."""
        is_last = number == len(self.recipe.then)
        folder = self._folder(number)
        if not is_last and folder is not None and self.resume and (folder / DONE).exists():
            self._take(folder)
            return None
        run = prepared_stage(self.recipe, stage, self.start, splits, self.device)
        self._begin()
        listeners = self._listeners(number, is_last=is_last)
        if self.ranks.leads:
            for note in run.notes:
                for listener in listeners:
                    listener(Noticed(note))
        training = train(
            run.learner,
            run.updates,
            self.recipe.training(stage, run.metric),
            around=Surroundings(
                device=self.device,
                ranks=self.ranks,
                snapshots=None if folder is None else Snapshots(folder, identity=self._identity(run, number)),
                resume=self.resume,
                listeners=listeners,
            ),
            evaluate=None if run.dev is None else run.dev_metrics,
            step=joined(compute_dtype(self.recipe.precision, self.device), self.device, self.ranks),
        )
        result = run.result(training, measures=self.ranks.leads)
        if not is_last and folder is not None:
            self._keep(folder, run, result)
        return run, result

    def _begin(self) -> None:
        """Write recipe.yaml in place of an earlier run's files, once the first stage fits."""
        if self.out is not None and self.ranks.leads and not self._begun:
            prepare_folder(self.out, self.recipe, keep_snapshots=self.resume)
        self._begun = True

    def _folder(self, number: int) -> Path | None:
        if self.out is None:
            return None
        return self.out / SNAPSHOTS / f"stage-{number + 1}" if self.recipe.then else self.out / SNAPSHOTS

    def _listeners(self, number: int, *, is_last: bool) -> tuple[Listener, ...]:
        if self.out is None:
            return self.listeners
        name = LOG if is_last else STAGE_LOGS.replace("*", str(number + 1))
        return (*self.listeners, LogFile(self.out / name))

    def _keep(self, folder: Path, run: StageRun, result: StageResult) -> None:
        if self.ranks.leads:
            save_sentence_bundle(run.kept, folder)
            write_text(folder / DONE, json_line(result.summary()) + "\n")
        self.ranks.from_leader(None)
        self._take(folder)

    def _take(self, folder: Path) -> None:
        self.earlier.append(json.loads((folder / DONE).read_text(encoding="utf-8")))
        self.start = Start(model=str(folder), dropout=self.recipe.start.dropout)

    def _identity(self, run: StageRun, number: int) -> str:
        """Hash of the recipe, every item and the teacher: what a snapshot must agree with to be gone on from."""
        told = hashlib.sha256(f"{recipe_yaml(without_free(self.recipe))}\n{number}\n{run.taught_by}".encode())
        for name, file in {"train": run.splits.train, **run.splits.measured()}.items():
            for item in file.items:
                told.update(repr((name, item.texts, item.label)).encode("utf-8", "surrogatepass"))
        return told.hexdigest()
