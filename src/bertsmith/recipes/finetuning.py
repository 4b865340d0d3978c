"""The fine-tuning run: rows and a recipe in, a trained and measured model out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bertsmith.finetuning import Truncated
from bertsmith.recipes.folder import SNAPSHOTS, holding_folder, prepare_folder
from bertsmith.recipes.prepared import PreparedRun, prepared_run
from bertsmith.recipes.result import FinetuneResult
from bertsmith.recipes.schema import FinetuneRecipe
from bertsmith.recipes.splits import Splits
from bertsmith.recipes.tricks import guided, step_for
from bertsmith.recipes.warming import warm_start
from bertsmith.training import (
    Listener,
    ParameterGroup,
    Snapshots,
    Surroundings,
    joined_ranks,
    local_rank,
    resolve_device,
    train,
    using_threads,
)


def finetune(
    recipe: FinetuneRecipe,
    splits: Splits,
    *,
    out: Path | None = None,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
) -> FinetuneResult:
    """Train on `splits.train`, keep what is best on `splits.dev`, measure on dev and test.

    With `out`, recipe.yaml and the snapshots go there, in place of what an earlier run left: only once
    everything is read and fits, so that a refusal costs nobody an old result. Under torchrun the
    processes share the work.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
        Interrupted: a signal came; the state is saved.
    """
    began = time.perf_counter()
    device = resolve_device(recipe.device, local_rank=local_rank())
    with using_threads(recipe.threads), joined_ranks(device) as ranks, holding_folder(out if ranks.leads else None):
        run = prepared_run(recipe, splits, device)
        run.require_metric()
        model, updates = guided(run.model, recipe), run.updates()
        if ranks.leads and out is not None:
            prepare_folder(out, recipe, keep_snapshots=resume)
        if ranks.leads:
            run.tell(listeners)
        warmed = warm_start(run, out, ranks, resume=resume, listeners=listeners)
        result = train(
            model,
            updates,
            recipe.training,
            around=Surroundings(
                device=device,
                ranks=ranks,
                snapshots=_snapshots(out, run),
                resume=resume,
                listeners=listeners,
            ),
            evaluate=run.dev_metrics,
            step=step_for(run.model, recipe, device),
        )
        return replace(run.result(result, ranks, seconds=time.perf_counter() - began), warmed=warmed)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a run would do: rows and losses by truncation of each split, parameter groups, what is to be said.

    `lengths` are tokens of the training texts before any shortening, special tokens included; `max_length` is what
    is read at a time, `num_layers` those of the encoder.
    """

    rows: dict[str, int]
    truncated: dict[str, Truncated]
    groups: tuple[ParameterGroup, ...]
    notes: tuple[str, ...]
    lengths: Int[np.ndarray, "texts"]
    max_length: int
    num_layers: int


def rehearse(recipe: FinetuneRecipe, splits: Splits) -> Rehearsal:
    """Read and load everything, train nothing, write nothing.

    Raises:
        UserError: checkpoint, data and recipe do not fit.
    """
    run = prepared_run(recipe, splits, resolve_device(recipe.device))
    run.require_metric()
    guided(run.model, recipe)
    return Rehearsal(
        rows={name: len(rows.records) for name, rows in splits.named().items()},
        truncated={name: prepared.truncated for name, prepared in run.prepared.items()},
        groups=run.groups,
        notes=run.notes,
        lengths=run.prepared["train"].full_lengths,
        max_length=run.bundle.max_length,
        num_layers=run.model.encoder.config.num_layers,
    )


def _snapshots(out: Path | None, run: PreparedRun) -> Snapshots | None:
    return None if out is None else Snapshots(out / SNAPSHOTS, identity=run.identity())
