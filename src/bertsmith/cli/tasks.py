"""Options given once a task: `--task name=T`, `--train name=F`; and which kind of recipe they make."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bertsmith.cli.options import Task
from bertsmith.errors import UserError

if TYPE_CHECKING:
    from bertsmith.recipes import FinetuneRecipe, MultiTaskRecipe

Given = dict[str, Any]
Files = dict[str, list[str] | None]
"""The values of `train`, `dev` and `test`."""


def has_tasks(task: Sequence[str] | None, *files: Path | None) -> bool:
    """Whether the options, or else the first of the recipe files that exists, speak of several tasks."""
    if task:
        return any("=" in one for one in task)
    file = next((file for file in files if file is not None and file.is_file()), None)
    return bool(file is not None and _values(file).get("tasks"))


def one_task(task: Sequence[str] | None, files: Files) -> Given:
    """What the options of a run over one task say; of an option given twice the last holds.

    Raises:
        UserError: there is no such kind of task.
    """
    kind = _kind(task[-1]) if task else None
    return {"task": kind, **{f"data.{name}": given[-1] for name, given in files.items() if given}}


def several_tasks(
    task: Sequence[str] | None, files: Files, everywhere: Given, *, file: Path | None
) -> dict[str, dict[str, Any]]:
    """The field `tasks` that the options stand for; `everywhere` is said of every task, by path.

    Raises:
        UserError: an option lacks the name of its task, names none there is, or one twice.
    """
    from bertsmith.cli.options import nested

    kinds = {name: _kind(kind) for name, kind in _by_name("--task", task or ()).items()}
    names = [*(_values(file).get("tasks", ()) if file is not None and file.is_file() else ()), *kinds]
    made: dict[str, Given] = {name: {**everywhere} for name in names}
    for name, kind in kinds.items():
        made[name]["task"] = kind
    for split, given in files.items():
        for name, path in _by_name(f"--{split}", given or ()).items():
            if name not in made:
                raise _usage(f"--{split} {name}={path}: there is no task {name!r}; the tasks are {', '.join(made)}")
            made[name][f"data.{split}"] = path
    return {name: nested(values) for name, values in made.items()}


def read_recipe(given: Given, *, file: Path | None, settings: Sequence[str] = ()) -> "FinetuneRecipe | MultiTaskRecipe":
    """The recipe that options, a file and settings make, of one task or of several.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    from bertsmith.recipes import finetune_recipe, multitask_recipe

    if "tasks" in given or (file is not None and _values(file).get("tasks")):
        return multitask_recipe(given=given, file=file, settings=settings)
    return finetune_recipe(given=given, file=file, settings=settings)


def _values(file: Path) -> Given:
    from bertsmith.recipes.schema import read_yaml

    return read_yaml(file)


def _by_name(option: str, given: Sequence[str]) -> dict[str, str]:
    """`name=value` each."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = (part.strip() for part in one.partition("="))
        if not (name and equals and value):
            raise _usage(f"{option} {one}: with several tasks every value is written name=value, as {option} topic=...")
        if name in found:
            raise _usage(f"{option} {name}=... stands there twice; give it once a task")
        found[name] = value
    return found


def _kind(kind: str) -> str:
    if kind not in get_args(Task):
        raise _usage(
            f"--task {kind}: no such kind of task; there are {', '.join(get_args(Task))} "
            "(of several tasks, each with a name: --task topic=classification)"
        )
    return kind


def _usage(message: str) -> UserError:
    return UserError(f"{message}\nSee `bertsmith finetune --help`.", code="bad_usage")
