"""What a ladder tries, as data: rungs of options, each a change of the recipe; ours, and those a user adds."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from bertsmith.config import Config, with_values
from bertsmith.errors import UserError
from bertsmith.features import NAMED_FEATURES
from bertsmith.recipes import FinetuneRecipe, merged
from bertsmith.recipes.schema import recipe_of

Values = Mapping[str, Any]
"""What was chosen of a recipe, without defaults."""


class FurtherEncoder(Config):
    """The encoder after further pre-training for so many steps, on the task's own texts or on those of its domain."""

    kind: Literal["further"] = "further"
    corpus: Literal["task", "in_domain"] = "task"
    steps: PositiveInt


class MultiTaskEncoder(Config):
    """The encoder after it has learned this task and the extra ones together (Sun et al. 2019 §5.5: MFiT-FiT)."""

    kind: Literal["multitask"] = "multitask"


AnyEncoder = Annotated[FurtherEncoder | MultiTaskEncoder, Field(discriminator="kind")]
"""An encoder that is made before an option is trained."""


class Option(Config):
    """One thing to try: fields to set (`{"optimizer.lr": 1e-4}`), perhaps another encoder to start from.

    `cost` is the time of a run, in runs of the recipe without it; `whole`: as all tokens of the texts to those
    that the baseline reads. When time is short, options with a small `first` come first.
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    set: dict[str, Any] = Field(default_factory=dict)
    encoder: AnyEncoder | None = None
    cost: PositiveFloat | Literal["whole"] = 1.0
    first: PositiveInt = 1

    def values(self, chosen: Values) -> dict[str, Any]:
        """What was chosen, changed by this option; a part of another kind replaces the one there whole."""
        above = with_values({}, self.set)
        below = {**chosen, "features": _spelled_out(chosen.get("features"))} if "features" in chosen else dict(chosen)
        document, now = above.get("document"), chosen.get("document")
        if isinstance(document, Mapping) and isinstance(now, Mapping) and "max_length" in now:
            above["document"] = {"max_length": now["max_length"], **document}
        head, inner = above.get("head"), chosen.get("head")
        if isinstance(head, Mapping) and head.get("kind") == "multi_sample" and isinstance(inner, Mapping):
            above["head"] = head if inner.get("kind") == "multi_sample" else {"of": {"kind": "linear", **inner}, **head}
        return merged(below, above)


class Rung(Config):
    """Options that answer one question; of those that pay, one is kept before the next rung is climbed."""

    name: Annotated[str, Field(pattern=r"^\w[\w-]*$", max_length=60)]
    question: str = ""
    needs: Literal["long_texts", "in_domain", "extra"] | None = None
    options: Annotated[tuple[Option, ...], Field(min_length=1)]

    @field_validator("options")
    @classmethod
    def _told_apart(cls, options: tuple[Option, ...]) -> tuple[Option, ...]:
        names = [option.name for option in options]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two options are called {twice!r}")
        return options


@cache
def usual_rungs() -> dict[str, Rung]:
    """The rungs that come with the package, by name, in their order (`rungs.yaml`)."""
    text = files("bertsmith.experiments").joinpath("rungs.yaml").read_text(encoding="utf-8")
    return {values["name"]: Rung.model_validate(values) for values in yaml.safe_load(text)}


def picked(rungs: Sequence[Rung], names: Sequence[str]) -> tuple[Rung, ...]:
    """Rungs by name, in the order of the names: those of the recipe, or ours.

    Raises:
        UserError: there is no rung of a name.
    """
    known = {**usual_rungs(), **{rung.name: rung for rung in rungs}}
    strange = next((name for name in names if name not in known), None)
    if strange is not None:
        raise UserError(f"--rungs: there is no rung {strange!r}; there are {', '.join(known)}", code="bad_usage")
    return tuple(known[name] for name in names)


def changed(chosen: Values, option: Option) -> FinetuneRecipe:
    """The recipe with an option.

    Raises:
        UserError: the option does not fit it.
    """
    return recipe_of(option.values(chosen))


def _spelled_out(features: Any) -> Any:
    """`mean` stands for fields, one of which an option may set."""
    named = NAMED_FEATURES.get(features) if isinstance(features, str) else None
    return features if named is None else named.model_dump(mode="json")
