"""How well the guesses are, counted on the way and read now and then."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Amount = Tensor | int | float


class Counts:
    """Shares as sums of two numbers each, so that they add up over micro-batches and processes.

    Adding never waits for the device; only `take` does, once.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._sums: dict[str, list[Amount]] = {}

    def add(self, name: str, part: Amount, whole: Amount) -> None:
        """Count `part` of `whole` more."""
        if name not in self._names:
            raise ValueError(f"{name!r} is not counted here: {', '.join(self._names)}")
        part, whole = (value.detach().double() if isinstance(value, Tensor) else value for value in (part, whole))
        before = self._sums.get(name, [0, 0])
        self._sums[name] = [before[0] + part, before[1] + whole]

    def take(self, add_up: Callable[[Tensor], Tensor] | None = None) -> Mapping[str, float]:
        """The shares since the last time, those without anything left out; counting begins anew.

        `add_up` sums a tensor over processes in place (`Ranks.sum`).
        """
        values = [value for name in self._names for value in self._sums.get(name, [0, 0])]
        self._sums.clear()
        sums = _on_the_host(values).view(-1, 2)
        sums = sums if add_up is None else add_up(sums)
        return {name: part / whole for name, (part, whole) in zip(self._names, sums.tolist(), strict=True) if whole}


def _on_the_host(values: Sequence[Amount]) -> Tensor:
    """All values, those of a device read together."""
    far = [value.double() for value in values if isinstance(value, Tensor)]
    read = iter(torch.stack(far).tolist() if far else ())
    return torch.tensor([next(read) if isinstance(value, Tensor) else value for value in values], dtype=torch.float64)
