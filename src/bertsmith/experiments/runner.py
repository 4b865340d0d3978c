"""Trials, several at a time, each in a process of its own; what is known already is not run again."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bertsmith.errors import Interrupted
from bertsmith.experiments.child import PATIENCE, PROGRAM, Child
from bertsmith.experiments.course import GiveUp, given_up, never
from bertsmith.experiments.journal import Journal
from bertsmith.experiments.places import COURSE, JOURNAL, OUTCOME, OUTPUT, SPLITS, TRIAL, TRIALS
from bertsmith.experiments.rows import StoredSplits, store_splits
from bertsmith.experiments.said import Said, read_said
from bertsmith.experiments.trial import Evaluation, Outcome, Trial
from bertsmith.files import writing
from bertsmith.recipes import LOG, RECIPE, Splits, finish_folder
from bertsmith.recipes.watching import Say, silent
from bertsmith.training.signals import StopSignals

GLANCE = 0.05
"""Seconds between two looks at the processes."""

STAYS = (TRIAL, OUTCOME, COURSE, OUTPUT, RECIPE, LOG, "dev.safetensors", "test.safetensors")
"""What remains of a trial whose model is not kept."""


def _unheard(outcome: Outcome) -> None:
    """Nobody wants to hear."""


@dataclass
class TrialRunner:
    """Runs trials and remembers what came of them in `folder/trials.jsonl`.

    A trial has one CPU thread unless its recipe says otherwise, so that its outcome does not hang on
    how many run beside it (`processes`). With `minutes`, no trial begins that is unlikely to end in
    time, and what still runs when the time is over is stopped with its state saved. Failed trials are
    passed over the next time unless `retry_failed`.

    >>> runner = TrialRunner(Path("out"), processes=2, minutes=60)  # doctest: +SKIP
    >>> runner.add("data", read_splits(recipe))  # doctest: +SKIP
    >>> trials = [Trial(recipe=recipe.but(seed=seed), name=f"seed {seed}") for seed in range(3)]  # doctest: +SKIP
    >>> for outcome in runner.run(trials):  # in the order of the trials  # doctest: +SKIP
    ...     print(outcome.status, outcome.dev, runner.said(outcome).outputs.values.argmax(1))
    """

    folder: Path
    processes: int = 1
    minutes: float | None = None
    say: Say = silent
    retry_failed: bool = False
    program: Sequence[str] = PROGRAM
    """What runs a trial: it is given the folder, which holds `trial.json`."""
    _stored: dict[str, StoredSplits] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._journal = Journal(self.folder / JOURNAL)
        self._known: dict[str, Outcome] | None = None
        self._until = None if self.minutes is None else time.monotonic() + 60 * self.minutes

    def add(self, name: str, splits: Splits) -> None:
        """Keep the rows that trials call by this name."""
        self._stored[name] = store_splits(splits, name, self.folder / SPLITS)

    def key(self, trial: Trial) -> str:
        """What a trial is known by."""
        stored = self._stored[trial.splits]
        return _with_threads(trial).key((stored if trial.test else stored.without_test()).fingerprint)

    def run(
        self, trials: Sequence[Trial], *, give_up: GiveUp = never, settled: Callable[[Outcome], object] = _unheard
    ) -> list[Outcome]:
        """The outcomes of trials, in their order; equal trials run once.

        `give_up` looks at every evaluation on dev; as long as it depends on nothing that happens
        meanwhile, outcomes do not depend on `processes`. `settled` hears of every outcome as it comes.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the journal holds what is done, the rest goes on where it was.
        """
        known = self._all_known()
        keys = [self.key(trial) for trial in trials]
        missing = {
            key: _with_threads(trial)
            for key, trial in zip(keys, trials, strict=True)
            if not self._serves(known.get(key), trial)
        }
        found = {**known, **_Round(self, missing, give_up, settled).outcomes()} if missing else known
        return [found[key] for key in keys]

    def said(self, outcome: Outcome, split: str = "dev") -> Said:
        """What the model of a trial says of every row of dev, or of test if the trial touched it."""
        return read_said(self.place(outcome) / f"{split}.safetensors")

    def place(self, outcome: Outcome) -> Path:
        """The folder of a trial: recipe.yaml, log.jsonl and, if it was kept, the model."""
        return self.folder / TRIALS / outcome.key

    def place_of(self, trial: Trial) -> Path:
        """The same, of a trial that may not have run."""
        return self.folder / TRIALS / self.key(trial)

    def known(self, trial: Trial) -> Outcome | None:
        """What is known of a trial, if anything."""
        return self._all_known().get(self.key(trial))

    def forget_model(self, outcome: Outcome) -> None:
        """Remove the model of a trial; everything else that was found out stays."""
        place = self.place(outcome)
        with writing(place):
            for path in place.iterdir() if place.is_dir() else ():
                if path.is_file() and path.name not in STAYS:
                    path.unlink()

    def remember(self, outcome: Outcome) -> None:
        """Add a line to the journal."""
        self._all_known()[outcome.key] = outcome
        self._journal.add(outcome)

    def set_aside(self, seconds: float) -> None:
        """End so much earlier, for what has to be done after the trials."""
        if self._until is not None:
            self._until -= seconds

    @property
    def seconds_left(self) -> float:
        """Until the time is over; infinite without a limit."""
        return float("inf") if self._until is None else self._until - time.monotonic()

    def _all_known(self) -> dict[str, Outcome]:
        if self._known is None:
            self._known = self._journal.outcomes()
        return self._known

    def _serves(self, outcome: Outcome | None, trial: Trial) -> bool:
        """Whether a known outcome is all that the trial wants."""
        if outcome is None or outcome.status == "unrun":
            return False
        if outcome.status != "done":
            return outcome.status == "stopped" or not self.retry_failed
        here = self.place(outcome)
        wanted = ["dev.safetensors", *["model.safetensors"] * trial.keep]
        return all((here / name).exists() for name in wanted)


def _with_threads(trial: Trial) -> Trial:
    return trial.but(recipe=trial.recipe.but(threads=trial.recipe.threads or 1))


class _Round:
    """The trials of one call, from the first to the last process."""

    def __init__(
        self,
        runner: TrialRunner,
        trials: Mapping[str, Trial],
        give_up: GiveUp,
        settled: Callable[[Outcome], object],
    ) -> None:
        self.runner = runner
        self.give_up = give_up
        self.settled = settled
        self.waiting = deque(trials.items())
        self.running: dict[int, Child] = {}
        self.found: dict[str, Outcome] = {}
        self.told: dict[str, int] = {}
        self.total = len(trials)
        self.gpus = _gpus()

    def outcomes(self) -> dict[str, Outcome]:
        """Run them all."""
        with StopSignals() as signals, self._ending():
            while self.waiting or self.running:
                if signals.asked:
                    self._interrupt()
                if self.runner.seconds_left <= 0:
                    self._time_is_over()
                self._start()
                for place, child in list(self.running.items()):
                    self._look_at(place, child)
                time.sleep(GLANCE)
        return self.found

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        finally:
            for child in self.running.values():
                child.kill()

    def _start(self) -> None:
        free = [place for place in range(self.runner.processes) if place not in self.running]
        while free and self.waiting:
            key, trial = self.waiting.popleft()
            if self._expected() > self.runner.seconds_left:
                self._settle(_unrun(key, trial), trial)
                continue
            place = free.pop(0)
            gpu = self.gpus[place % len(self.gpus)] if len(self.gpus) > 1 else None
            folder = self.runner.folder / TRIALS / key
            self.running[place] = Child(trial, folder, program=self.runner.program, device=gpu)
            self.runner.say(f"{trial.name or key}: started ({self.total - len(self.waiting)} of {self.total})")

    def _expected(self) -> float:
        """How long a trial will take: as long as those of this round took, in the mean."""
        done = [outcome.seconds for outcome in self.found.values() if outcome.status == "done"]
        return sum(done) / len(done) if done else 0.0

    def _look_at(self, place: int, child: Child) -> None:
        code = child.code
        course = child.course()
        self._tell(child, course)
        enough = given_up(child.trial, course, self.give_up)
        if enough is None and code is None:
            return
        del self.running[place]
        if code is None:
            child.kill()
        else:
            child.wait()
        if enough is not None:
            outcome = child.without_result("stopped").but(course=tuple(enough))
            finish_folder(child.folder)
        elif code == 130:
            outcome = child.without_result("unrun")
        else:
            outcome = child.outcome()
        self._settle(outcome, child.trial)

    def _tell(self, child: Child, course: Sequence[Evaluation]) -> None:
        metric = child.trial.recipe.selection.metric
        for one in course[self.told.get(child.folder.name, 0) :]:
            value = one.metrics.get(metric, float("nan"))
            self.runner.say(f"{child.trial.name}: {one.progress:.0%} · dev {metric} {value:.4f}")
        self.told[child.folder.name] = len(course)

    def _settle(self, outcome: Outcome, trial: Trial) -> None:
        self.found[outcome.key] = outcome
        self.runner.say(f"{trial.name or outcome.key}: {_in_words(outcome, trial)}")
        if outcome.status != "unrun":
            self.runner.remember(outcome)
        self.settled(outcome)

    def _time_is_over(self) -> None:
        for child in self._stopped():
            self._settle(child.without_result("unrun"), child.trial)
        while self.waiting:
            key, trial = self.waiting.popleft()
            self._settle(_unrun(key, trial), trial)

    def _interrupt(self) -> None:
        self.runner.say("stopping; the trials under way save their state")
        self._stopped()
        raise Interrupted(f"stopped; {len(self.found)} of {self.total} trials are done and kept, go on with --resume")

    def _stopped(self) -> list[Child]:
        """Ask all to stop, and wait until they have; what has ended meanwhile counts."""
        children = list(self.running.values())
        self.running.clear()
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.wait(PATIENCE)
        ended = [child for child in children if (child.folder / OUTCOME).exists()]
        for child in ended:
            self._settle(child.outcome(), child.trial)
        return [child for child in children if child not in ended]


def _unrun(key: str, trial: Trial) -> Outcome:
    return Outcome(key=key, name=trial.name, splits=trial.splits, seed=trial.recipe.seed, status="unrun")


def _in_words(outcome: Outcome, trial: Trial) -> str:
    metric = trial.recipe.selection.metric
    match outcome.status:
        case "done":
            return f"done, dev {metric} {outcome.dev.get(metric, float('nan')):.4f}, {outcome.seconds:.0f} s"
        case "failed":
            return f"failed: {outcome.error}"
        case "stopped":
            return f"given up after {outcome.course[-1].progress:.0%}, {outcome.seconds:.0f} s"
        case "unrun":
            return "not run: the time is over"


def _gpus() -> list[str]:
    """The names of the GPUs that processes may be given one each of."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(number) for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
