"""Which settings of a search made a difference: the share of the spread between sets that goes with each."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bertsmith.experiments.space import Range, Space

Columns = Float[np.ndarray, "sets columns"]


class Importance(NamedTuple):
    """The share of the variance between sets that one field explains beside all others; 0 where chance would do."""

    field: str
    share: float


def importance(
    space: Space, settings: Sequence[Mapping[str, Any]], values: Sequence[float]
) -> tuple[Importance, ...] | None:
    """How much each field matters, the most important first; None where there are too few sets to tell.

    An analysis of variance without interactions: the values are fitted by a sum of effects, an effect for every
    value of a grid and a curve of second degree over a range (by ratio where it was drawn so). A field's share
    is what the fit loses without it, less what chance would explain with as many columns (ω², Hays 1963;
    Olejnik & Algina 2003), so that noise comes out as 0. What is missing to 1 is interaction and noise.
    """
    if len(values) < 2:
        return None
    columns = {field: _columns(dimension, [each[field] for each in settings]) for field, dimension in space.items()}
    columns = {field: each for field, each in columns.items() if each.shape[1]}
    spread = float(np.sum((np.array(values) - np.mean(values)) ** 2))
    free = len(values) - 1 - sum(each.shape[1] for each in columns.values())
    if not columns or free < 1 or spread <= 0:
        return None
    rest = _unexplained(columns.values(), values)
    noise = rest / free
    shares = []
    for field, own in columns.items():
        others = [each for name, each in columns.items() if name != field]
        gain = _unexplained(others, values) - rest - own.shape[1] * noise
        shares.append(Importance(field, max(0.0, float(gain / (spread + noise)))))
    return tuple(sorted(shares, key=lambda each: -each.share))


def _columns(dimension: Any, values: Sequence[Any]) -> Columns:
    """What a field contributes to the fit: a column for each further value seen, or two for a range."""
    if isinstance(dimension, Range):
        numbers = np.array([math.log(value) if dimension.log else value for value in values], dtype=np.float64)
        centred = numbers - numbers.mean()
        scaled = centred / (np.abs(centred).max() or 1.0)
        return np.stack([scaled, scaled**2], axis=1)[:, : len(set(values)) - 1]
    told = [repr(value) for value in values]
    seen = list(dict.fromkeys(told))
    return np.array([[each == one for one in seen[1:]] for each in told], dtype=np.float64).reshape(len(told), -1)


def _unexplained(columns: Any, values: Sequence[float]) -> float:
    """The squared distance of the values to the best sum of effects."""
    truth = np.array(values, dtype=np.float64)
    design = np.concatenate([np.ones((len(truth), 1)), *columns], axis=1)
    fitted = design @ np.linalg.lstsq(design, truth, rcond=None)[0]
    return float(np.sum((truth - fitted) ** 2))
