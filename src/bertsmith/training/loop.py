"""The one training loop. It decides when; what happens is decided by the parts it is given."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor

from bertsmith.allocator import keep_freed_memory
from bertsmith.errors import Interrupted
from bertsmith.training.averaging import averager
from bertsmith.training.calendar import Calendar
from bertsmith.training.config import TrainingConfig
from bertsmith.training.determinism import deterministic
from bertsmith.training.events import Ended, Evaluated, Event, Listener, Noticed, Started, TrainingResult, Updated
from bertsmith.training.groups import build_optimizer, parameter_groups, thaw
from bertsmith.training.precision import compute_dtype
from bertsmith.training.protocols import Evaluate, Trainable, Updates
from bertsmith.training.ranks import ALONE, CPU, Ranks
from bertsmith.training.selection import evaluation_is_due, judged
from bertsmith.training.signals import StopSignals
from bertsmith.training.snapshots import Progress, Snapshot, Snapshots, differences
from bertsmith.training.state import copy_of, optimizer_state, put_optimizer_state, put_weights, weights_of
from bertsmith.training.step import Step, plain
from bertsmith.training.update import Made, Updater, reads_every


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run meets but does not depend on: device, processes, disk, onlookers.

    With `resume`, the run goes on from the newest snapshot, if there is one; without, old snapshots go.
    """

    device: torch.device = CPU
    ranks: Ranks = ALONE
    snapshots: Snapshots | None = None
    resume: bool = False
    listeners: Sequence[Listener] = ()


def train(
    model: Trainable,
    updates: Updates,
    config: TrainingConfig,
    *,
    around: Surroundings | None = None,
    evaluate: Evaluate | None = None,
    step: Step | None = None,
) -> TrainingResult:
    """Train the model, which is on the device already, in place; leave it with the selected weights, in eval mode.

    The result is a function of (weights, data, config) on CPU: neither snapshots, listeners and
    interruptions nor, up to rounding, the number of processes change it.

    Raises:
        UserError: the loss is not finite, a metric is missing, a snapshot does not fit, the disk is full.
        Interrupted: a signal came, and the state is saved if there is a place for it.
    """
    around = around or Surroundings()
    if around.device.type == "cpu":
        keep_freed_memory()
    with StopSignals() as signals, deterministic(around.device):
        run = _Run(model, updates, config, around=around, evaluate=evaluate, step=step)
        result: TrainingResult | None = None
        try:
            result = run.to_end(signals)
        finally:
            run.tell(Ended(result))
            thaw(run.groups, None)
            model.eval()
        return result


class _Run:
    """The state of one call of `train`."""

    def __init__(
        self,
        model: Trainable,
        updates: Updates,
        config: TrainingConfig,
        *,
        around: Surroundings,
        evaluate: Evaluate | None,
        step: Step | None,
    ) -> None:
        self.model, self.updates, self.config, self.around, self.evaluate = model, updates, config, around, evaluate
        self.calendar = Calendar(updates, config.budget)
        self.groups = tuple(parameter_groups(model, config.optimizer, config.freeze))
        self.optimizer = build_optimizer(self.groups, config.optimizer)
        self.dtype = compute_dtype(config.precision, around.device)
        self.update = Updater(
            model=model,
            optimizer=self.optimizer,
            step=step or plain(self.dtype, around.device),
            ranks=around.ranks,
            device=around.device,
            seed=config.seed,
            max_grad_norm=config.optimizer.max_grad_norm,
            read_every=reads_every(around.device, self.optimizer),
        )
        self.unread: list[Made] = []
        self.unread_seconds = 0.0
        self.average = averager(config.averaging, model, self.calendar.total)
        self.progress = Progress()
        self.best: dict[str, Tensor] | None = None
        self.saved_step = 0

    def to_end(self, signals: StopSignals) -> TrainingResult:
        """Go on from wherever the run stands."""
        self._begin()
        while True:
            self._evaluate_if_due(signals)
            finished = self.progress.stopped_early or self.progress.step >= self.calendar.total
            if finished or self.progress.step % self.config.snapshot_every == 0:
                self._save()
            if finished:
                return self._result()
            self._one_update()
            if not (self.unread and self.around.ranks.world > 1) and self.around.ranks.any(flag=signals.asked):
                self._stop()

    def tell(self, event: Event) -> None:
        """Let everyone who listens know; only the leading process speaks."""
        if self.around.ranks.leads:
            for listener in self.around.listeners:
                listener(event)

    def _begin(self) -> None:
        ranks, snapshots = self.around.ranks, self.around.snapshots
        if snapshots is not None and self.around.resume:
            self._restore(snapshots)
        elif snapshots is not None and ranks.leads:
            snapshots.clear()
        ranks.copy_from_leader(weights_of(self.model).values())
        self.tell(
            Started(
                step=self.progress.step,
                evaluated_step=self.progress.evaluated_step,
                total_steps=self.calendar.total,
                groups=self.groups,
                device=str(self.around.device),
                dtype=str(self.dtype).removeprefix("torch."),
                threads=torch.get_num_threads(),
                processes=ranks.world,
            )
        )

    def _restore(self, snapshots: Snapshots) -> None:
        ranks = self.around.ranks
        found = snapshots.newest(lambda text: self.tell(Noticed(text))) if ranks.leads else None
        step = ranks.from_leader(found.progress.step if found else None)
        if step is None:
            self.tell(Noticed("there is no snapshot to go on from; starting at the beginning"))
            return
        snapshot = found or snapshots.read(step)
        self.progress, self.saved_step = snapshot.progress, step
        put_weights(self.model, snapshot.model)
        put_optimizer_state(self.optimizer, self.groups, snapshot.optimizer)
        self.average.restore(snapshot.average)
        if self.config.selection.keep == "best" and self.progress.best_step is not None:
            self.best = dict(snapshot.best or snapshot.average or snapshot.model)
        for text in differences(snapshot.environment, self._environment()):
            self.tell(Noticed(text))

    def _one_update(self) -> None:
        began = time.perf_counter()
        number = self.progress.step
        epoch, index = self.calendar.place(number)
        builds = self.updates.update(epoch, index, at_least=self.around.ranks.world)
        self.model.train()
        thaw(self.groups, epoch)
        factor = self.config.optimizer.schedule.factor(number, self.calendar.total)
        self.unread.append(self.update(number, builds, factor=factor))
        self.average.follow(number + 1)
        self.progress = self.progress.but(step=number + 1)
        self.unread_seconds += time.perf_counter() - began
        if (number + 1) % self.update.read_every == 0:
            self._read()

    def _read(self) -> None:
        """Read what the updates did that nobody has read yet, and tell it; each took its share of the time."""
        began = time.perf_counter()
        made, self.unread = self.unread, []
        outcomes = self.update.read(made)
        total = self.unread_seconds + time.perf_counter() - began
        self.unread_seconds = 0.0
        for each, outcome in zip(made, outcomes, strict=True):
            seconds = total / len(made)
            self.progress = self.progress.but(
                tokens=self.progress.tokens + outcome.tokens, seconds=self.progress.seconds + seconds
            )
            self.tell(
                Updated(
                    step=each.number + 1,
                    total_steps=self.calendar.total,
                    epoch=self.calendar.epochs_done(each.number + 1),
                    loss=outcome.loss,
                    losses=outcome.losses,
                    lr=outcome.lr,
                    grad_norm=outcome.grad_norm,
                    tokens=outcome.tokens,
                    seconds=seconds,
                    run_tokens=self.progress.tokens,
                    run_seconds=self.progress.seconds,
                )
            )

    def _evaluate_if_due(self, signals: StopSignals) -> None:
        step = self.progress.step
        if self.evaluate is None or not evaluation_is_due(self.progress, self.config.selection, self.calendar):
            return
        self._read()
        try:
            with signals.at_once() if self.around.ranks.world == 1 else nullcontext(), self.average.in_place():
                metrics = self.around.ranks.from_leader(self._measured(self.evaluate))
        except Interrupted:
            self._stop()
        self.progress = judged(self.progress, metrics, self.config.selection)
        is_best = self.progress.best_step == step
        if is_best and self.config.selection.keep == "best":
            self.best = copy_of(self.average.weights())
        epoch = self.calendar.epochs_done(step)
        self.tell(Evaluated(step, epoch, metrics, is_best=is_best, run_seconds=self.progress.seconds))

    def _measured(self, evaluate: Evaluate) -> dict[str, float] | None:
        if not self.around.ranks.leads:
            return None
        self.model.eval()
        with torch.no_grad():
            return dict(evaluate())

    def _save(self) -> None:
        self._read()
        snapshots, step = self.around.snapshots, self.progress.step
        if snapshots is None or step == self.saved_step or not self.around.ranks.leads:
            return
        snapshots.save(
            Snapshot(
                progress=self.progress,
                environment=self._environment(),
                model=weights_of(self.model),
                optimizer=optimizer_state(self.optimizer, self.groups),
                best=None if self.progress.best_step == step else self.best,
                average=self.average.state(),
            )
        )
        self.saved_step = step

    def _stop(self) -> NoReturn:
        self._save()
        kept = "; the state is saved, go on with --resume" if self.around.snapshots else ""
        raise Interrupted(f"stopped after step {self.progress.step} of {self.calendar.total}{kept}")

    def _environment(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "threads": str(torch.get_num_threads()),
            "device": self.around.device.type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "processes": str(self.around.ranks.world),
        }

    def _result(self) -> TrainingResult:
        put_weights(self.model, self.average.weights() if self.best is None else self.best)
        progress = self.progress
        return TrainingResult(
            steps=progress.step,
            epochs=self.calendar.epochs_done(progress.step),
            tokens=progress.tokens,
            seconds=progress.seconds,
            stopped_early=progress.stopped_early,
            best_step=progress.best_step,
            best_metrics=progress.best_metrics,
            last_metrics=progress.last_metrics,
        )
