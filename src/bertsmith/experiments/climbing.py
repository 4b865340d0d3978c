"""The ladder of Sun et al. 2019 (arXiv 1905.05583) as one experiment: trick by trick, each kept only if it pays.

A baseline, then rung after rung: every option of a rung is trained with several seeds on top of what was kept so far,
and compared with it on dev. Test is not looked at.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.experiments.climbed import Attempt, Climbed, Climbing, Point, Skipped
from bertsmith.experiments.encoders import Made, Workshop
from bertsmith.experiments.few_texts import costs, curve
from bertsmith.experiments.judging import Candidate, Jury, chosen
from bertsmith.experiments.laddering import LadderRecipe
from bertsmith.experiments.measuring import Bench
from bertsmith.experiments.planning import Facts, Plan, plan, why_no_rung
from bertsmith.experiments.rungs import FurtherEncoder, Option, Rung, changed
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.trial import Outcome, Trial
from bertsmith.recipes import LOG, FinetuneRecipe, Splits

DATA = "data"
BASELINE = Option(name="baseline")
NO_TIME = "the time that is left does not suffice"
FEWEST = 2
"""Runs of an option that must come to their end."""


def climb(recipe: LadderRecipe, splits: Splits, runner: TrialRunner, workshop: Workshop, facts: Facts) -> Climbed:
    """Climb until the ladder or the time is over; the models of the baseline and of the final recipe stay.

    Raises:
        UserError: the baseline fails, or the time is over before it is done.
        Interrupted: Ctrl-C or SIGTERM; what is done is kept, the same call goes on.
    """
    began = time.monotonic()
    runner.add(DATA, replace(splits, test=None))
    climber = _Climber(recipe, splits, runner, workshop, facts)
    climber.begin()
    for rung in recipe.ladder.rungs:
        climber.rung(rung)
    points = climber.points()
    climber.keep_models()
    return climber.climbed(points, seconds=time.monotonic() - began)


@dataclass
class _Climber:
    """Where the climb stands."""

    recipe: LadderRecipe
    splits: Splits
    runner: TrialRunner
    workshop: Workshop
    facts: Facts
    rungs: list[Climbing] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        base = self.recipe.base
        self.seeds = range(base.seed, base.seed + self.recipe.ladder.seeds)
        self.bench = Bench(self.splits, base.selection.metric, seed=base.seed)

    def begin(self) -> None:
        """Train the baseline; what it cost decides the plan."""
        base = self.recipe.base
        outcomes = self.runner.run(self._trials(base, "baseline"))
        baseline = self._tried("baseline", BASELINE, self.recipe.chosen, base, outcomes)
        if isinstance(baseline, str):
            over = any(outcome.status == "unrun" for outcome in outcomes)
            raise UserError(
                "the time was over before the baseline was done; go on with --resume, or raise --minutes"
                if over
                else f"the baseline {baseline}",
                code="no_time" if over else "all_failed",
            )
        self.baseline = self.current = baseline
        done = baseline.outcomes
        speeds = [outcome.tokens_per_second or 0.0 for outcome in done]
        self.facts = replace(
            self.facts,
            seconds=sum(outcome.seconds for outcome in done) / len(done),
            tokens_per_second=sum(speeds) / len(speeds),
            seeds=len(self.seeds),
            parallel=min(self.runner.processes, len(self.seeds)),
        )
        self.runner.set_aside(self.facts.end(len(self._test)))
        self.plan = self._planned()
        self.jury = Jury(self.plan.comparisons, level=self.recipe.ladder.level)
        self.jury.know(baseline.runs)
        if baseline.stuck:
            self._note(f"baseline: {baseline.words}; what is built on it says little")

    def rung(self, rung: Rung) -> None:
        """Try the options of a rung on top of what was kept so far."""
        ready = [(option, *found) for option in self.plan.options[rung.name] if (found := self._ready(rung, option))]
        trials = [self._trials(recipe, f"{rung.name} {option.name}") for option, _, recipe in ready]
        outcomes = iter(self.runner.run([trial for some in trials for trial in some]))
        tried: list[Attempt] = []
        for option, made, recipe in ready:
            some = [next(outcomes) for _ in self.seeds]
            came = self._tried(rung.name, option, self._values(option, made), recipe, some, made)
            if isinstance(came, str):
                self._skip(rung.name, option.name, came)
            else:
                tried.append(came)
        if tried:
            self._judge(rung, tried)

    def points(self) -> tuple[Point, ...]:
        """The curve over the number of texts."""
        few = self.recipe.ladder.few_texts
        if few is None or not self.plan.shares:
            return ()
        return curve(
            self.current, self._further(), few.but(shares=self.plan.shares), self.splits, self.runner, self.recipe
        )

    def _further(self) -> Attempt | None:
        """The best of the options with further pre-training, its encoder being there."""
        made = [
            (one, rung.before)
            for rung in self.rungs
            for one in rung.tried
            if isinstance(one.option.encoder, FurtherEncoder)
        ]
        if not made:
            return None
        best, before = max(made, key=lambda pair: pair[0].runs.mean)
        assert best.option.encoder is not None
        there = self.workshop.made(best.option.encoder, before.recipe, seconds=self.runner.seconds_left)
        return best if there.why is None else None

    def keep_models(self) -> None:
        """Make sure that the models to be tested are there, however late it is."""
        runner = replace(self.runner, minutes=None)
        runner.add(DATA, replace(self.splits, test=None))
        wanted = {one.option.name: one for one in (self.baseline, self.current)}
        runner.run([trial.but(keep=True) for one in wanted.values() for trial in self._trials(one.recipe, one.rung)])

    def climbed(self, points: tuple[Point, ...], *, seconds: float) -> Climbed:
        """Everything, with verdicts as they stand at the end."""
        self.jury.planned = len(self._all_tried())
        judged = iter(self.jury.all())
        rungs = [
            replace(rung, tried=tuple(replace(one, judged=next(judged)) for one in rung.tried)) for rung in self.rungs
        ]
        for rung in rungs:
            late = [one for one in rung.tried if rung.kept is None and one.judged and one.judged.verdict == "pays"]
            self.notes += [
                f"{rung.name} {one.option.name} pays, but that was clear only once all comparisons were in: it is not "
                "in the final recipe"
                for one in late
            ]
        return Climbed(
            recipe=self.recipe,
            splits=self.splits,
            facts=self.facts,
            baseline=self.baseline,
            rungs=tuple(rungs),
            final=self.current,
            skipped=tuple(self.skipped),
            curve=points,
            notes=tuple(self.notes),
            seconds=seconds,
        )

    def _planned(self) -> Plan:
        ladder, why_not = self.recipe.ladder, dict(self._why_not())
        for (rung, option), why in why_not.items():
            self._skip(rung, option, why)
        minutes = ladder.minutes
        used = self.facts.run(BASELINE) * self.facts.seeds / self.facts.parallel + self.facts.end(len(self._test))
        left = None if minutes is None else 60 * minutes - used
        shares = {} if ladder.few_texts is None else costs(ladder.few_texts, self.baseline, self.splits, self.facts)
        rate = self.recipe.base.optimizer.lr
        found = plan(ladder.rungs, why_not, self.facts, seconds=left, shares=shares, rate=rate)
        for (rung, option), why in found.left_out.items():
            self._skip(rung, option, why)
        self.runner.say(
            f"plan: {found.comparisons} options with {self.facts.seeds} seeds each; a run of the baseline took "
            f"{self.facts.seconds:.0f} s; {len(found.left_out)} options do not fit into the time"
        )
        if not found.comparisons and found.left_out:
            self._note(f"no option fits into {minutes:g} minutes; raise --minutes, and the same command goes on")
        return found

    def _why_not(self) -> Iterator[tuple[tuple[str, str | None], str]]:
        """Rungs and options that are not for this task."""
        for rung in self.recipe.ladder.rungs:
            why = why_no_rung(rung, self.recipe, self.facts)
            if why is not None:
                yield (rung.name, None), why
                continue
            for option in rung.options:
                found = self._recipe(option)
                if isinstance(found, str):
                    yield (rung.name, option.name), found

    def _ready(self, rung: Rung, option: Option) -> tuple[Made | None, FinetuneRecipe] | None:
        """The recipe of an option, its encoder made; None: it is skipped."""
        found = self._made(option)
        if isinstance(found, str):
            self._skip(rung.name, option.name, found)
            return None
        return found

    def _made(self, option: Option) -> tuple[Made | None, FinetuneRecipe] | str:
        """The recipe of an option, or why there is none."""
        recipe = self._recipe(option)
        if isinstance(recipe, str):
            return recipe
        if option.encoder is None:
            return (None, recipe) if self._has_time(option, recipe) else NO_TIME
        base = self.current.recipe
        again = changed(self._values(option, Made(self.workshop.place(option.encoder, base))), BASELINE)
        made = self.workshop.found(option.encoder, base, weights=not self._are_known(again))
        if made is None and self.facts.option(option) > self.runner.seconds_left:
            return NO_TIME
        made = made or self.workshop.made(option.encoder, base, seconds=self.runner.seconds_left)
        return (made, again) if made.why is None else made.why

    def _recipe(self, option: Option) -> FinetuneRecipe | str:
        """The recipe of an option, from the encoder as it is; or why there is none."""
        try:
            recipe = changed(self.current.chosen, option)
            recipe.features.layers.resolved(self.facts.num_layers)
        except UserError as error:
            return f"does not fit: {error.message.splitlines()[-1].strip()}"
        if option.encoder is None and recipe == self.current.recipe:
            return "is what the recipe has already"
        return recipe

    def _has_time(self, option: Option, recipe: FinetuneRecipe) -> bool:
        """Whether the runs of an option can end in time, or have ended before."""
        return self._are_known(recipe) or self.facts.option(option) <= self.runner.seconds_left

    def _are_known(self, recipe: FinetuneRecipe) -> bool:
        return all(self.runner.known(trial) for trial in self._trials(recipe, ""))

    def _values(self, option: Option, made: Made | None) -> dict[str, object]:
        """What is chosen with an option, starting from the encoder made for it."""
        values = option.values(self.current.chosen)
        return values if made is None else BASELINE.but(set={"start.model": str(made.folder)}).values(values)

    def _judge(self, rung: Rung, tried: Sequence[Attempt]) -> None:
        stuck = [place for place, one in enumerate(tried) if one.stuck]
        judged = self.jury.rung(self.current.runs, [one.runs for one in tried], unstable=stuck)
        tried = [replace(one, judged=each) for one, each in zip(tried, judged, strict=True)]
        candidates = [
            Candidate(one.runs.mean, one.seconds / len(one.runs), each) for one, each in zip(tried, judged, strict=True)
        ]
        best = chosen(candidates)
        kept = None if best is None else tried[best]
        self.rungs.append(
            Climbing(rung.name, rung.question, self.current, tuple(tried), None if kept is None else kept.option.name)
        )
        for one in tried:
            self._tell(one, kept=one is kept)
        self._forget([one for one in (*tried, self.current) if one is not (kept or self.current)])
        self.current = kept or self.current

    @property
    def _test(self) -> Sequence[Record]:
        return () if self.splits.test is None else self.splits.test.records

    def _forget(self, others: Sequence[Attempt]) -> None:
        """Only the baseline and what is kept need their models."""
        for one in others:
            for outcome in one.outcomes if one is not self.baseline else ():
                self.runner.forget_model(outcome)

    def _trials(self, recipe: FinetuneRecipe, name: str) -> list[Trial]:
        made = [Trial(recipe=recipe.but(seed=seed), splits=DATA, name=f"{name}, seed {seed}") for seed in self.seeds]
        return [trial.but(keep=self.runner.known(trial) is None) for trial in made]

    def _tried(
        self,
        rung: str,
        option: Option,
        values: dict[str, object],
        recipe: FinetuneRecipe,
        outcomes: Sequence[Outcome],
        made: Made | None = None,
    ) -> Attempt | str:
        """What came of an option, or why nothing did."""
        if any(outcome.status == "unrun" for outcome in outcomes):
            return "the time was over before its runs were done"
        done = tuple(outcome for outcome in outcomes if outcome.status == "done")
        failed = [outcome for outcome in outcomes if outcome.status != "done"]
        if len(done) < min(FEWEST, len(outcomes)):
            return f"failed: {failed[0].error}"
        if failed:
            self._note(f"{rung} {option.name}: {len(failed)} of {len(outcomes)} runs failed: {failed[0].error}")
        said = [self.runner.said(outcome) for outcome in done]
        runs = self.bench.runs(said)
        seconds = sum(outcome.seconds for outcome in outcomes) + (0.0 if made is None else made.seconds)
        stuck = self.bench.stuck(said, runs, [self.runner.place(outcome) / LOG for outcome in done])
        return Attempt(rung, option, dict(values), recipe, done, runs, stuck, seconds)

    def _all_tried(self) -> list[Attempt]:
        return [one for rung in self.rungs for one in rung.tried]

    def _tell(self, one: Attempt, *, kept: bool) -> None:
        assert one.judged is not None
        low, high = one.judged.found.interval
        metric = one.recipe.selection.metric
        self.runner.say(
            f"{one.rung} {one.option.name}: dev {metric} {one.runs.mean:.4f} ± {one.runs.std:.4f}, "
            f"{one.judged.found.mean:+.4f} ({low:+.4f} to {high:+.4f}): {one.judged.verdict}"
            f"{', kept' if kept else ''}{f'; {one.words}' if one.stuck else ''}"
        )

    def _skip(self, rung: str, option: str | None, why: str) -> None:
        self.skipped.append(Skipped(rung, option, why))
        self.runner.say(f"{rung}{f' {option}' if option else ''}: left out: {why}")

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.runner.say(text)
