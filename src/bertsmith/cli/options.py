"""Options that every command, or every training command, understands."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

Task = Literal["classification", "multilabel", "regression", "pair", "tagging"]
"""The kinds of task, without importing what knows them."""
Device = Literal["auto", "cpu", "cuda"]


@Parameter(name="*")
@dataclass(frozen=True)
class CommonOptions:
    """Understood everywhere."""

    json: Annotated[bool, Parameter(negative=())] = False
    """Print exactly one JSON object on stdout; everything else goes to stderr."""
    seed: int | None = None
    """Seed of every random choice (default 0)."""
    device: Device = "auto"
    """Where to compute."""
    settings: Annotated[list[str], Parameter(name="--set", negative=(), consume_multiple=False)] = field(
        default_factory=list
    )
    """path.to.field=value; reaches every recipe field; repeatable."""
    recipe: Path | None = None
    """A YAML recipe to start from; options given on the command line win."""
    encoding: str | None = None
    """Encoding of input files that are not UTF-8, for example gb18030."""


@Parameter(name="*")
@dataclass(frozen=True)
class RunOptions:
    """Understood by every command that trains."""

    resume: Annotated[bool, Parameter(negative=())] = False
    """Go on from the newest snapshot in --out."""
    overwrite: Annotated[bool, Parameter(negative=())] = False
    """Replace what is in --out."""


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Turn `{"a.b": 1, "c": None}` into `{"a": {"b": 1}}`: options not given leave no trace."""
    result: dict[str, Any] = {}
    for path, value in values.items():
        if value is None:
            continue
        *parents, last = path.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return result


def text_of(path: Path | None) -> str | None:
    """A path as the recipe writes it."""
    return None if path is None else str(path)
