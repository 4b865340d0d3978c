"""What a search may choose: fields of a recipe, and the values of each."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import yaml
from pydantic import model_validator

from bertsmith.config import Config
from bertsmith.errors import UserError

Settings = Mapping[str, Any]
"""A value for each field, as `{"optimizer.lr": 3e-5}`."""

SHORT = {
    "batch_size": "batches.batch_size",
    "epochs": "budget.epochs",
    "head_lr": "optimizer.head_lr",
    "lr": "optimizer.lr",
    "max_length": "document.max_length",
}
"""Fields that are called as the options of `finetune` are."""

PRESETS: dict[str, dict[str, list[Any]]] = {
    "bert": {
        "batches.batch_size": [16, 32],
        "optimizer.lr": [5e-5, 3e-5, 2e-5],
        "budget.epochs": [2, 3, 4],
    }
}
"""`bert`: what "works well across all tasks" in Devlin et al. 2019 (arXiv 1810.04805 §A.3)."""


class Range(Config):
    """A number from `low` to `high`, both included; with `log`, every ratio is as likely as any other.

    Whole numbers where both ends are.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _has_room(self) -> "Range":
        if not self.low < self.high or not math.isfinite(self.high - self.low):
            raise ValueError(f"a range goes from low to a higher number, got {self.low} to {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a range by ratio (log) begins above 0, got {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Values = tuple[Any, ...]
Space = Mapping[str, Values | Range]
"""For every field the values to try, or the range to draw from."""


def full_name(field: str) -> str:
    """`lr` is short for `optimizer.lr`."""
    return SHORT.get(field, field)


def parse_grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Read `FIELD=a,b,c` and names of presets; a field named again replaces the one before.

    Raises:
        UserError: a part is neither, or a field has no values.
    """
    space: dict[str, list[Any]] = {}
    for text in texts:
        field, equals, values = text.partition("=")
        if not equals and text in PRESETS:
            space |= PRESETS[text]
        elif not equals or not field.strip() or not values.strip():
            known = ", ".join(PRESETS)
            raise UserError(
                f"--grid takes FIELD=VALUE,VALUE,... or a preset ({known}), got {text!r}", code="bad_setting"
            )
        else:
            space[full_name(field.strip())] = _values(values, text)
    return space


def parse_search(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read `FIELD=low..high` and `FIELD=low..high:log`.

    Raises:
        UserError: a part is written otherwise.
    """
    space = {}
    for text in texts:
        field, equals, rest = text.partition("=")
        ends, _, scale = rest.partition(":")
        numbers = [_number(end) for end in ends.split("..")]
        if not equals or not field.strip() or len(numbers) != 2 or None in numbers or scale not in ("", "log"):
            raise UserError(f"--search takes FIELD=LOW..HIGH or FIELD=LOW..HIGH:log, got {text!r}", code="bad_setting")
        ends_of = {"low": numbers[0], "high": numbers[1], "log": scale == "log"}
        space[full_name(field.strip())] = ends_of
    return space


def combinations(space: Space) -> list[dict[str, Any]]:
    """Every set of values, the last field turning fastest."""
    values = [each for each in space.values() if not isinstance(each, Range)]
    assert len(values) == len(space), "ranges have no end of values"
    return [dict(zip(space, chosen, strict=True)) for chosen in product(*values)]


def in_words(settings: Settings) -> str:
    """`lr 3e-05, batch_size 16`: without the parts of names that tell nothing more."""
    short = {field: name for name, field in SHORT.items()}
    return ", ".join(f"{short.get(field, field)} {_written(value)}" for field, value in settings.items())


def _written(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _values(text: str, whole: str) -> list[Any]:
    """Values as YAML reads them, but `3e-5` as the number it is meant to be."""
    try:
        found = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        raise UserError(f"the values of --grid {whole!r} are not valid YAML", code="bad_setting") from None
    return [number if isinstance(each, str) and (number := _number(each)) is not None else each for each in found]


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
