"""Which sets of values are tried next: all of a grid in order, or what earlier ones make likely (TPE)."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from bertsmith.errors import UserError
from bertsmith.experiments.pruning import Better
from bertsmith.experiments.space import Range, Settings, Space, Values, combinations

Told = float | None
"""The value of a set; None where it failed or was given up."""


@runtime_checkable
class Proposals(Protocol):
    """Proposes sets a round at a time, and is told their values before the next."""

    @property
    def total(self) -> int:
        """How many sets there will be, at most."""
        ...

    def next(self, number: int) -> Sequence[Settings]:
        """Up to so many sets; none when the search is over."""
        ...

    def tell(self, values: Sequence[Told]) -> None:
        """What came of the sets proposed last, in their order."""
        ...


class Grid:
    """Every combination once."""

    def __init__(self, space: Space) -> None:
        self._waiting = combinations(space)
        self.total = len(self._waiting)

    def next(self, number: int) -> Sequence[Settings]:
        """The next combinations."""
        some, self._waiting = self._waiting[:number], self._waiting[number:]
        return some

    def tell(self, values: Sequence[Told]) -> None:
        """A grid learns nothing."""


class Tpe:
    """Tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS §4), as optuna has it: multivariate, seeded.

    The first `random` sets are drawn at random. A set that was tried before is drawn again; where the
    space has no further ones, the search is over. Sets depend on seed and values alone, so a search gone on with
    proposes what it had proposed before.

    Raises:
        UserError: optuna is not installed.
    """

    def __init__(self, space: Space, total: int, *, better: Better, seed: int, random: int) -> None:
        optuna = _optuna()
        self.total = total
        self._space = {field: _distribution(optuna, dimension) for field, dimension in space.items()}
        self._choices = {field: each for field, each in space.items() if not isinstance(each, Range)}
        self._left = total
        self._tried: dict[tuple[Any, ...], Told] = {}
        self._asked: list[tuple[Any, tuple[Any, ...]]] = []
        self._failed = optuna.trial.TrialState.FAIL
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=random
            )
        direction = "maximize" if better == "higher" else "minimize"
        self._study = optuna.create_study(sampler=sampler, direction=direction)

    def next(self, number: int) -> Sequence[Settings]:
        """The next sets, none of them tried before."""
        found: list[Settings] = []
        self._asked = []
        while len(found) < min(number, self._left):
            drawn = self._new()
            if drawn is None:
                self._left = len(found)
                break
            found.append(drawn)
        self._left -= len(found)
        return found

    def tell(self, values: Sequence[Told]) -> None:
        """Let the estimator know; what failed counts as not drawn."""
        for (trial, place), value in zip(self._asked, values, strict=True):
            self._tried[place] = value
            self._report(trial, value)

    def _new(self) -> Settings | None:
        for _ in range(_DRAWS):
            trial = self._study.ask(self._space)
            place = tuple(trial.params.values())
            if place not in self._tried:
                self._tried[place] = None
                self._asked.append((trial, place))
                return {
                    field: self._choices[field][value] if field in self._choices else value
                    for field, value in trial.params.items()
                }
            self._report(trial, self._tried[place])
        return None

    def _report(self, trial: Any, value: Told) -> None:
        if value is None or math.isnan(value):
            self._study.tell(trial, state=self._failed)
        else:
            self._study.tell(trial, value)


_DRAWS = 50
"""Draws in a row that give nothing new before a space counts as exhausted."""


def _distribution(optuna: Any, dimension: Values | Range) -> Any:
    kinds = optuna.distributions
    if not isinstance(dimension, Range):
        return kinds.CategoricalDistribution(tuple(range(len(dimension))))
    if dimension.whole:
        return kinds.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return kinds.FloatDistribution(float(dimension.low), float(dimension.high), log=dimension.log)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError(
            "a search by TPE needs optuna: pip install 'bertsmith[hpo]'; a grid (--grid) needs nothing more",
            code="missing_package",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def proposals_for(space: Space, trials: int | None, *, better: Better, seed: int, random: int = 6) -> Proposals:
    """TPE where a number of trials is given, else the whole grid.

    Raises:
        UserError: there is nothing to choose, a range is to be tried whole, or optuna is missing.
    """
    if not space:
        raise UserError(
            "nothing to search: give --grid bert, --grid FIELD=a,b,c, or --tpe N with --search FIELD=low..high",
            code="bad_usage",
        )
    if trials is not None:
        return Tpe(space, trials, better=better, seed=seed, random=random)
    ranges = [field for field, dimension in space.items() if isinstance(dimension, Range)]
    if ranges:
        raise UserError(
            f"{', '.join(ranges)}: a range has no end of values; say how many trials to make with --tpe N",
            code="bad_usage",
        )
    return Grid(space)
