"""A fine-tuning recipe inside that of an experiment: what was chosen of it, beside a part of the experiment's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import yaml

from bertsmith.config import Config
from bertsmith.recipes import FinetuneRecipe
from bertsmith.recipes.schema import chosen_values, read_yaml, recipe_of


class ManyRuns(Config):
    """What was chosen of a fine-tuning recipe, without defaults, beside the part that makes many runs of it.

    Defaults are filled in late, since what a trial changes (the task, the head, the start) may have others.
    """

    part: ClassVar[str]
    chosen: dict[str, Any]

    @property
    def base(self) -> FinetuneRecipe:
        """The recipe as it is without the experiment."""
        return recipe_of(self.chosen)

    def yaml(self) -> str:
        """As the file that `--recipe` reads."""
        own = vars(self)[self.part].model_dump(mode="json")
        told = {"kind": self.part, **self.chosen, self.part: own}
        return yaml.safe_dump(told, allow_unicode=True, sort_keys=False)


def chosen_parts(
    part: str,
    *,
    given: Mapping[str, Any],
    file: Path | None,
    settings: Sequence[str],
    forgotten: Sequence[str] = (),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What file, options and settings choose of the recipe, and of the part; `forgotten` fields of the file's part go.

    Raises:
        UserError: a field of the recipe is unknown or its value does not fit.
    """
    below = read_yaml(file) if file else {}
    if below.get("kind") == part:
        del below["kind"]
    if isinstance(below.get(part), Mapping):
        below[part] = {name: value for name, value in below[part].items() if name not in forgotten}
    chosen = chosen_values(given=given, below=below, settings=settings)
    own = chosen.pop(part, None) or {}
    recipe_of(chosen, where=str(file) if file else None)
    return chosen, own
