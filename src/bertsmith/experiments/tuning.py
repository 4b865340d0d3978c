"""A search over the fields of a recipe: sets of values tried, several seeds each, and the best one kept."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, PositiveInt, field_validator

from bertsmith.config import Config, parse_config, with_values
from bertsmith.errors import UserError
from bertsmith.experiments.chosen import ManyRuns, chosen_parts
from bertsmith.experiments.course import GiveUp, never
from bertsmith.experiments.importance import Importance, importance
from bertsmith.experiments.proposals import proposals_for
from bertsmith.experiments.pruning import Better, Median, Pruning, best_by
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.space import PRESETS, Range, Space, full_name, in_words
from bertsmith.experiments.trial import Outcome, Trial
from bertsmith.recipes import FinetuneRecipe, Splits
from bertsmith.recipes.schema import recipe_of

DATA = "data"


class Tuning(Config):
    """What is searched, and how.

    `grid` names fields and the values to try, or a preset; `search` fields and ranges. Without `tpe`,
    every combination of the grid is tried; with it, so many sets, drawn by the tree-structured Parzen
    estimator from both, the first `random` of them at random. Each set is trained with `seeds` seeds, from
    the recipe's on, and is worth the mean of its dev metrics. `pruning: auto` is the median rule for TPE and
    none for a grid. Sets are proposed `round` at a time; only what earlier rounds found decides about the next.
    """

    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(default_factory=dict)
    search: dict[str, Range] = Field(default_factory=dict)
    tpe: PositiveInt | None = None
    seeds: PositiveInt = 1
    random: PositiveInt = 6
    pruning: Literal["auto"] | Pruning | None = "auto"
    round: PositiveInt = 4

    @field_validator("grid", mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        if isinstance(values, str):
            if values not in PRESETS:
                raise ValueError(f"the presets are {', '.join(PRESETS)}")
            return PRESETS[values]
        return _by_full_name(values)

    @field_validator("search", mode="before")
    @classmethod
    def _full_names(cls, values: Any) -> Any:
        return _by_full_name(values)

    @property
    def space(self) -> Space:
        """Everything that is searched."""
        return {**self.grid, **self.search}

    @property
    def rule(self) -> Pruning | None:
        """How trials are given up."""
        if self.pruning == "auto":
            return Median() if self.tpe is not None else None
        return self.pruning


class TuneRecipe(ManyRuns):
    """A search as a value: a fine-tuning recipe, and what is searched."""

    part: ClassVar[str] = "tune"
    kind: Literal["tune"] = "tune"
    tune: Tuning

    def recipe(self, settings: Mapping[str, Any]) -> FinetuneRecipe:
        """The recipe of a set.

        Raises:
            UserError: the values do not fit it.
        """
        return recipe_of(with_values(self.chosen, settings))


def tune_recipe(*, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()) -> TuneRecipe:
    """Put a search together: the YAML file (a recipe with a part `tune`), then the options given, then `--set`.

    A space among the options replaces that of the file.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    part = given.get("tune", {})
    forgotten = ("grid", "search") if "grid" in part or "search" in part else ()
    chosen, tuning = chosen_parts("tune", given=given, file=file, settings=settings, forgotten=forgotten)
    return TuneRecipe(chosen=chosen, tune=parse_config(Tuning, tuning, where=str(file) if file else None))


@dataclass(frozen=True, slots=True)
class Tried:
    """A set of values and what came of it, seed by seed; `error` says why a set is no recipe."""

    settings: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    metric: str
    better: Better
    error: str | None = None

    @property
    def status(self) -> str:
        """`done` when every seed is."""
        if self.error is not None:
            return "failed"
        for status in ("unrun", "failed", "stopped"):
            if any(outcome.status == status for outcome in self.outcomes):
                return status
        return "done"

    @property
    def why(self) -> str | None:
        """What went wrong, if something did."""
        return self.error or next((outcome.error for outcome in self.outcomes if outcome.error), None)

    @property
    def values(self) -> tuple[float, ...]:
        """The dev metric of every seed; of a trial that was given up, the best that it had reached."""
        found = []
        for outcome in self.outcomes:
            value = outcome.dev.get(self.metric)
            reached = best_by(outcome.course, 1.0, self.metric, self.better) if outcome.status == "stopped" else None
            found.append(reached if value is None else value)
        return tuple(value for value in found if value is not None)

    @property
    def value(self) -> float | None:
        """The mean over seeds; None unless every seed has one."""
        if self.error is not None or not self.outcomes or len(self.values) < len(self.outcomes):
            return None
        mean = float(np.mean(self.values))
        return None if math.isnan(mean) else mean

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds; None of one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None

    @property
    def seconds(self) -> float:
        """What all seeds cost."""
        return sum(outcome.seconds for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Tuned:
    """Everything a search found out: its sets in the order they were tried."""

    recipe: TuneRecipe
    base: FinetuneRecipe
    splits: Splits
    tried: tuple[Tried, ...]
    seconds: float

    @property
    def ranked(self) -> tuple[Tried, ...]:
        """The sets that came to their end, the best first; of equal ones the one tried first."""
        done = [one for one in self.tried if one.status == "done" and one.value is not None]
        sign = -1 if self.base.selection.better == "higher" else 1
        return tuple(sorted(done, key=lambda one: sign * (one.value or 0.0)))

    @property
    def best(self) -> Tried:
        """The set with the best dev metric, in the mean over seeds."""
        return self.ranked[0]

    @property
    def best_outcome(self) -> Outcome:
        """Its seed with the best dev metric."""
        sign = -1 if self.base.selection.better == "higher" else 1
        return min(self.best.outcomes, key=lambda outcome: sign * outcome.dev[self.base.selection.metric])

    def counts(self) -> dict[str, int]:
        """How many sets there are of each status."""
        statuses = [one.status for one in self.tried]
        return {status: statuses.count(status) for status in ("done", "stopped", "failed", "unrun")}

    @property
    def importance(self) -> tuple[Importance, ...] | None:
        """How much each field matters, by the sets that came to their end; None of too few."""
        done = [one for one in self.tried if one in self.ranked]
        return importance(
            self.recipe.tune.space, [one.settings for one in done], [one.value for one in done if one.value is not None]
        )


def tune(recipe: TuneRecipe, splits: Splits, runner: TrialRunner) -> Tuned:
    """Try sets until the search or the time is over; the models of the best set stay in their trials' folders.

    Test rows are not looked at. The result does not depend on how many processes there are; with a limit of time it
    depends on how far they came.

    Raises:
        UserError: the space does not fit the recipe, or no set came to its end.
        Interrupted: Ctrl-C or SIGTERM; the journal holds what is done.
    """
    began = time.monotonic()
    base = recipe.base
    better = base.selection.better
    asked = recipe.tune
    proposals = proposals_for(asked.space, asked.tpe, better=better, seed=base.seed, random=asked.random)
    runner.add(DATA, splits)
    search = _Search(recipe, base, runner, proposals.total)
    at_once = asked.round if asked.tpe or asked.rule else proposals.total
    while settings := proposals.next(at_once):
        found = search.round(settings)
        proposals.tell([one.value for one in found])
        if any(one.status == "unrun" for one in found):
            break
    tuned = Tuned(recipe, base, splits, tuple(search.tried), time.monotonic() - began)
    _require_one(tuned)
    _keep_best(tuned, runner)
    return tuned


class _Plan(NamedTuple):
    """A set and its trials by key; none, and why, where the set is no recipe."""

    settings: Mapping[str, Any]
    trials: Mapping[str, Trial]
    error: str | None


@dataclass
class _Search:
    """What was tried so far."""

    recipe: TuneRecipe
    base: FinetuneRecipe
    runner: TrialRunner
    total: int
    tried: list[Tried] = field(default_factory=list)

    def round(self, settings: Sequence[Mapping[str, Any]]) -> list[Tried]:
        """Train some sets; models that are no longer among the best go as soon as that is clear."""
        plans = [self._plan(each, len(self.tried) + place) for place, each in enumerate(settings)]
        heard: dict[str, Outcome] = {}

        def settled(outcome: Outcome) -> None:
            heard[outcome.key] = outcome
            self._forget_others([self._tried(plan, heard) for plan in plans])

        trials = {key: trial for plan in plans for key, trial in plan.trials.items()}
        found = self.runner.run(list(trials.values()), give_up=self._rule(), settled=settled)
        known = dict(zip(trials, found, strict=True))
        made = [self._tried(plan, known) for plan in plans]
        self.tried += made
        return made

    def _plan(self, settings: Mapping[str, Any], number: int) -> "_Plan":
        name = f"{number + 1}/{self.total} {in_words(settings)}"
        seeds = self.recipe.tune.seeds
        try:
            recipe = self.recipe.recipe(settings)
        except UserError as error:
            self.runner.say(f"{name}: failed: {error.message}")
            return _Plan(settings, {}, error.message)
        made = {}
        for seed in range(recipe.seed, recipe.seed + seeds):
            told = f"{name}, seed {seed}" if seeds > 1 else name
            trial = Trial(recipe=recipe.but(seed=seed), splits=DATA, name=told)
            made[self.runner.key(trial)] = trial.but(keep=self.runner.known(trial) is None)
        return _Plan(settings, made, None)

    def _tried(self, plan: "_Plan", known: Mapping[str, Outcome]) -> Tried:
        found = tuple(known[key] for key in plan.trials if key in known)
        return Tried(plan.settings, found, self.base.selection.metric, self.base.selection.better, plan.error)

    def _rule(self) -> GiveUp:
        rule = self.recipe.tune.rule
        if rule is None:
            return never
        outcomes = [outcome for one in self.tried for outcome in one.outcomes]
        ended = [outcome.course for outcome in outcomes if outcome.status == "done"]
        seen = [outcome.course for outcome in outcomes if outcome.course]
        return rule.rule(self.base.selection.metric, self.base.selection.better, ended, seen)

    def _forget_others(self, now: Sequence[Tried]) -> None:
        """Of the sets whose seeds are all done, only the best needs its models."""
        seeds = self.recipe.tune.seeds
        done = [one for one in (*self.tried, *now) if len(one.outcomes) == seeds and one.status == "done"]
        sign = -1 if self.base.selection.better == "higher" else 1
        ranked = sorted(done, key=lambda one: sign * one.value if one.value is not None else math.inf)
        for one in ranked[1:]:
            for outcome in one.outcomes:
                self.runner.forget_model(outcome)


def _require_one(tuned: Tuned) -> None:
    if tuned.ranked:
        return
    if any(one.status == "unrun" for one in tuned.tried):
        raise UserError(
            "the time was over before any set of values came to its end; go on with --resume, or raise --minutes",
            code="no_time",
        )
    whys = list(dict.fromkeys(_whys(tuned.tried)))
    raise UserError(
        f"none of {len(tuned.tried)} sets of values came to its end; the first failed so: {whys[0]}",
        code="all_failed",
    )


def _whys(tried: Sequence[Tried]) -> Iterator[str]:
    for one in tried:
        yield one.why or "given up"


def _keep_best(tuned: Tuned, runner: TrialRunner) -> None:
    """Make sure that the models of the best set are there: a search gone on with may have forgotten them."""
    recipe = tuned.recipe.recipe(tuned.best.settings)
    runner.run(
        [Trial(recipe=recipe.but(seed=one.seed), splits=DATA, name=one.name, keep=True) for one in tuned.best.outcomes]
    )


def _by_full_name(values: Any) -> Any:
    return {full_name(str(name)): value for name, value in values.items()} if isinstance(values, Mapping) else values
