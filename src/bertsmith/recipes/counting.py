"""What a pre-training model counts on the way, read now and then, all processes together."""

from collections.abc import Sequence

from bertsmith.pretraining import Pretrainer
from bertsmith.training import Build, Counted, Listener, Noticed, Ranks, Updates

EVERY = 10
"""Updates between two looks: enough tokens for a steady share, and seldom a wait for the device."""
TOO_MANY_DEGRADED = 0.1


class CountingUpdates:
    """The updates of a run; before some of them, the shares of those behind are read and told.

    Every process asks for the same updates in the same order, so that all add up at the same time.
    """

    def __init__(self, updates: Updates, model: Pretrainer, ranks: Ranks, listeners: Sequence[Listener]) -> None:
        self._updates, self._model, self._ranks, self._listeners = updates, model, ranks, listeners
        self._since: int | None = None
        self._warned = False

    def per_epoch(self, epoch: int) -> int:
        """How many updates an epoch has."""
        return self._updates.per_epoch(epoch)

    def update(self, epoch: int, index: int, *, at_least: int) -> Sequence[Build]:
        """The micro-batches of one update."""
        done = epoch * self.per_epoch(epoch) + index
        if self._since is None:
            self._since = done
        elif done % EVERY == 0:
            self.look(done)
        return self._updates.update(epoch, index, at_least=at_least)

    def look(self, done: int) -> None:
        """Tell the shares since the last look; so many updates of the run are made."""
        if self._since is None or done == self._since:
            return
        ranks = self._ranks
        shares = dict(self._model.counts.take(lambda sums: ranks.sum(sums.to(ranks.device))))
        updates, self._since = done - self._since, done
        if not ranks.leads:
            return
        for listener in self._listeners:
            listener(Counted(done, updates, shares))
        degraded = shares.get("degraded_share", 0.0)
        if degraded > TOO_MANY_DEGRADED and not self._warned:
            self._warned = True
            for listener in self._listeners:
                listener(Noticed(degraded_warning(degraded)))


def degraded_warning(share: float) -> str:
    """What to say where too many words have no similar one (MacBERT, Cui et al. 2020, arXiv 2004.13922 §3.2)."""
    return (
        f"{share:.0%} of the words that were to become similar ones got a random token, since none of their length "
        "was known; in the paper at most a tenth do. A list made from this corpus would help (bertsmith similar)"
    )
