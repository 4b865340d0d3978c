"""Where in the run update number n stands."""

from bisect import bisect_right

from bertsmith.training.config import Budget
from bertsmith.training.protocols import Updates


class Calendar:
    """Translates between updates counted from 0 over the run, and (epoch, index)."""

    def __init__(self, updates: Updates, budget: Budget) -> None:
        self._updates = updates
        self._ends = [0]
        limits = [] if budget.max_steps is None else [budget.max_steps]
        epochs = budget.epochs_of(updates.per_epoch(0))
        if epochs is not None:
            for _ in range(epochs):
                self._add_epoch()
            limits.append(self._ends[-1])
        self.total = min(limits)

    def place(self, update: int) -> tuple[int, int]:
        """Epoch of an update, and its index there."""
        while self._ends[-1] <= update:
            self._add_epoch()
        epoch = bisect_right(self._ends, update) - 1
        return epoch, update - self._ends[epoch]

    def epochs_done(self, updates: int) -> float:
        """How many epochs so many updates make."""
        if updates == 0:
            return 0.0
        epoch, index = self.place(updates - 1)
        return epoch + (index + 1) / (self._ends[epoch + 1] - self._ends[epoch])

    def ends_epoch(self, updates: int) -> bool:
        """Whether an epoch is just complete after so many updates."""
        return updates in self._ends[1:]

    def _add_epoch(self) -> None:
        size = self._updates.per_epoch(len(self._ends) - 1)
        if size < 1:
            raise ValueError(f"epoch {len(self._ends) - 1} has {size} updates, it needs at least one")
        self._ends.append(self._ends[-1] + size)
