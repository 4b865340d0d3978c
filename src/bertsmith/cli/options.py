"""Options that every command, or every training command, understands."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

Task = Literal["classification", "multilabel", "regression", "pair", "tagging"]
"""The kinds of task, without importing what knows them."""
Device = Literal["auto", "cpu", "cuda"]


def _positive(kind: Any, value: int | float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"must be above 0, got {value:g}")


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


@Parameter(name="*")
@dataclass(frozen=True)
class TaskOptions:
    """Understood by every command that fine-tunes many times."""

    task: Task | None = None
    """What to learn: classification, multilabel, regression, pair or tagging."""
    model: str | None = None
    """Checkpoint to start from: a bundled name, a folder in the Hugging Face layout, or a hub id."""
    encoder: str | None = None
    """Start from random weights instead: tiny, mini, small, base, large, or a JSON file."""
    train: Path | None = None
    """Labelled texts: .csv, .tsv, .jsonl or .parquet, also .gz, .xz or .zst."""
    test: Path | None = None
    """Texts for the final figures; touched once, at the end."""
    columns: str | None = None
    """Names of the columns, as text=sentence1,text_pair=sentence2,label=score."""
    processes: Annotated[int, Parameter(validator=_positive)] = 1
    """How many trainings run at a time; the result does not depend on it."""
    minutes: Annotated[float | None, Parameter(validator=_positive)] = None
    """Begin nothing that is unlikely to end within so many minutes; --resume goes on later."""
    retry_failed: Annotated[bool, Parameter(negative=())] = False
    """With --resume: try again what failed."""

    def given(self, common: CommonOptions) -> dict[str, Any]:
        """The recipe fields that were given."""
        return nested(
            {
                "task": self.task,
                "start.model": self.model,
                "start.encoder": self.encoder,
                "data.train": text_of(self.train),
                "data.test": text_of(self.test),
                "data.columns": columns_of(self.columns),
                "data.encoding": common.encoding,
                "seed": common.seed,
                "device": None if common.device == "auto" else common.device,
            }
        )


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


def columns_of(spec: str | None) -> dict[str, str] | None:
    """What `--columns` names, as the recipe writes it."""
    from bertsmith.data import Columns

    return None if spec is None else Columns.parse(spec).model_dump()
