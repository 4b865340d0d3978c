"""A ladder as a value: a baseline recipe, the rungs to climb, seeds, and the time there is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from bertsmith.config import Config, in_brief, parse_config
from bertsmith.data.record import USUAL_COLUMNS
from bertsmith.errors import UserError
from bertsmith.experiments.rungs import Rung, usual_rungs
from bertsmith.experiments.significance import LEVEL
from bertsmith.finetuning import AnyAim
from bertsmith.recipes import FinetuneRecipe, merged
from bertsmith.recipes.multitask_schema import TaskName
from bertsmith.recipes.schema import chosen_values, read_yaml, recipe_of, usual_for_both

Share = Annotated[float, Field(gt=0.0, le=1.0)]


class FewTexts(Config):
    """How the result hangs on the number of training texts, with and without further pre-training.

    Each share of the training texts is drawn anew for every seed. A small share gets more epochs, so that a run makes
    at least `updates` updates, or as many as with all texts.
    """

    shares: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
    updates: PositiveInt = 100


class Extra(Config):
    """Another task with its training texts, for the rung `multitask`."""

    task: AnyAim
    train: Path

    @field_validator("task", mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        return {"kind": values} if isinstance(values, str) else values

    def count(self) -> int:
        """How many texts there are.

        Raises:
            UserError: the file cannot be read, or a row lacks a text or a label.
        """
        return sum(1 for _ in self.task.read(self.train, USUAL_COLUMNS))


class Ladder(Config):
    """What is tried on top of the baseline, and how it is judged.

    `rungs` are names of ours (`rungs.yaml`), or rungs of your own. Every option is trained with `seeds` seeds from
    the recipe's on and compared with what was kept before it. `level` is the chance that a ladder finds
    anything where there is nothing. `minutes` limits the whole ladder; None: no limit. `in_domain` are files of
    raw text for the rung of that name, `extra` other tasks by name for the rung `multitask`; `few_texts: null`
    leaves the curve out.
    """

    rungs: Annotated[tuple[Rung, ...], Field(min_length=1)] = Field(default=(), validate_default=True)
    seeds: Annotated[int, Field(ge=2, description="the spread over seeds needs two")] = 3
    minutes: PositiveFloat | None = 60.0
    level: Annotated[float, Field(gt=0.0, lt=1.0)] = LEVEL
    in_domain: tuple[Path, ...] = ()
    extra: dict[TaskName, Extra] = Field(default_factory=dict)
    few_texts: FewTexts | None = FewTexts()

    @field_validator("rungs", mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        if not values:
            return tuple(usual_rungs().values())
        if isinstance(values, str) or not isinstance(values, Sequence):
            return values
        strange = next((one for one in values if isinstance(one, str) and one not in usual_rungs()), None)
        if strange is not None:
            raise ValueError(f"there is no rung {strange!r}; ours are {', '.join(usual_rungs())}")
        return tuple(usual_rungs()[one] if isinstance(one, str) else one for one in values)

    @field_validator("rungs")
    @classmethod
    def _told_apart(cls, rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
        names = [rung.name for rung in rungs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None or "baseline" in names:
            raise ValueError(f"a rung cannot be called {twice or 'baseline'!r}: there is one already")
        return rungs


class LadderRecipe(Config):
    """A ladder: what was chosen of the baseline's recipe, and the rungs on top of it.

    Defaults are left out but for those that depend on what the baseline starts from: encoders made on the way
    keep them.
    """

    kind: Literal["ladder"] = "ladder"
    chosen: dict[str, Any]
    ladder: Ladder

    @property
    def base(self) -> FinetuneRecipe:
        """The baseline."""
        return recipe_of(self.chosen)

    def yaml(self) -> str:
        """As the file that `--recipe` reads."""
        told = {"kind": self.kind, **self.chosen, "ladder": in_brief(self.ladder)}
        told["ladder"]["rungs"] = [_written(rung) for rung in self.ladder.rungs]
        return yaml.safe_dump(told, allow_unicode=True, sort_keys=False)


class _Part(Config):
    """So that messages name fields as they are set."""

    ladder: Ladder


def ladder_recipe(*, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()) -> LadderRecipe:
    """Put a ladder together: the YAML file (a recipe with a part `ladder`), then the options given, then `--set`.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    below = read_yaml(file) if file else {}
    if below.get("kind") == "ladder":
        del below["kind"]
    chosen = chosen_values(given=given, below=below, settings=settings)
    where = str(file) if file else None
    ladder = parse_config(_Part, {"ladder": chosen.pop("ladder", {})}, where=where).ladder
    chosen = merged(usual_for_both(chosen["start"], chosen.get("task")), chosen)
    base = recipe_of(chosen, where=where)
    if base.selection.better == "lower":
        raise UserError(
            "a ladder compares by a metric of which more is better, but selection.better is lower "
            f"(selection.metric: {base.selection.metric}); choose another metric",
            code="bad_setting",
        )
    return LadderRecipe(chosen=chosen, ladder=ladder)


def _written(rung: Rung) -> Any:
    """Ours by name."""
    return rung.name if usual_rungs().get(rung.name) == rung else in_brief(rung)
