"""What `--resume` means for the recipe of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bertsmith.cli.options import CommonOptions, RunOptions

R = TypeVar("R")


def recipe_to_run(
    asked: Callable[[Path | None], R],
    before: Callable[[Path], R],
    *,
    out: Path,
    run: RunOptions,
    common: CommonOptions,
    same: Callable[..., None],
) -> R:
    """The recipe the options stand for; with `--resume` that of the run in `out`, which they must not contradict.

    `asked` makes a recipe of the options and a file, `before` of a file alone; `same(asked, stored, where=file)`
    refuses to go on where they must not differ.

    Raises:
        UserError: there is a model in `out` that no run of ours made, or the options contradict the run.
    """
    from bertsmith.recipes import RECIPE, require_run

    stored = out / RECIPE
    if run.resume and not run.overwrite:
        require_run(out)
    if not (run.resume and stored.exists()):
        return asked(common.recipe)
    recipe = asked(common.recipe or stored)
    same(recipe, before(stored), where=stored)
    return recipe
