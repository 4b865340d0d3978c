"""The warm start of a run: the stage before the head learns."""

from collections.abc import Sequence
from pathlib import Path

from bertsmith.finetuning import ClassUpdates, Warmer, WarmStart
from bertsmith.recipes.prepared import PreparedRun
from bertsmith.recipes.stages import around_stage
from bertsmith.training import (
    Budget,
    Listener,
    Noticed,
    Ranks,
    Selection,
    TrainingConfig,
    TrainingResult,
    compute_dtype,
    plain,
    train,
)

STAGE = "warm_start"


def warm_start(
    run: PreparedRun, out: Path | None, ranks: Ranks, *, resume: bool, listeners: Sequence[Listener]
) -> TrainingResult | None:
    """Draw the texts of one label together, if the recipe wants it; the model is changed in place.

    Raises:
        UserError: the loss is not finite, a snapshot does not fit, the disk is full.
        Interrupted: a signal came; the state is saved.
    """
    wanted = run.recipe.warm_start
    if wanted is None:
        return None
    around = around_stage(STAGE, out, ranks, identity=run.identity(), resume=resume, listeners=listeners)
    if ranks.leads:
        for listener in around.listeners:
            listener(Noticed("warm start"))
    updates = ClassUpdates(
        run.prepared["train"].readings,
        run.truth["train"].values,
        batch_size=wanted.batch_size,
        seed=run.recipe.seed,
    )
    step = plain(compute_dtype(run.recipe.precision, run.device), run.device)
    return train(Warmer(run.model, wanted.loss), updates, _config(run, wanted), around=around, step=step)


def _config(run: PreparedRun, wanted: WarmStart) -> TrainingConfig:
    """As the run, but for length and rate; nothing is frozen, and the last weights are kept."""
    recipe = run.recipe
    return TrainingConfig(
        optimizer=recipe.optimizer.but(lr=wanted.lr, head_lr=None, rates={}),
        budget=Budget(epochs=wanted.epochs),
        selection=Selection(keep="last"),
        precision=recipe.precision,
        snapshot_every=recipe.snapshot_every,
        seed=recipe.seed,
    )
