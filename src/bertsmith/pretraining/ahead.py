"""The next updates of a run, made by other processes while this one computes."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType

import torch

from bertsmith.pretraining.batches import PretrainBatch
from bertsmith.pretraining.exercise import Exercise
from bertsmith.pretraining.updates import Piece, PretrainUpdates

Place = tuple[int, int, int]
"""Epoch, index in the epoch, and how many micro-batches at least."""


class MadeAhead:
    """The same updates in the same order, `depth` of them made in advance by `workers` processes.

    Which process makes what changes nothing: everything is a function of the position in the run. Of
    each update only the micro-batches of process `rank` of `world` are made. Use as a context: at
    its end the workers are gone.
    """

    def __init__(
        self, updates: PretrainUpdates, *, workers: int, depth: int | None = None, rank: int = 0, world: int = 1
    ) -> None:
        self._updates = updates
        self._depth = depth or 2 * workers
        self._own = rank, world
        self._pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(updates,)
        )
        self._asked: dict[Place, list[tuple[Piece, Future[list[Exercise]] | None]]] = {}

    def __enter__(self) -> "MadeAhead":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def per_epoch(self, epoch: int) -> int:
        """How many updates an epoch has."""
        return self._updates.per_epoch(epoch)

    def update(self, epoch: int, index: int, *, at_least: int) -> list[Callable[[], PretrainBatch]]:
        """The micro-batches of one update; those of the updates after it are begun."""
        places = [(epoch, index, at_least)]
        for _ in range(self._depth):
            places.append(self._after(places[-1]))
        self._asked = {place: self._asked.get(place) or self._ask(place) for place in places}
        return [partial(self._batch, piece, future) for piece, future in self._asked[places[0]]]

    def _after(self, place: Place) -> Place:
        epoch, index, at_least = place
        last = index + 1 == self._updates.per_epoch(epoch)
        return (epoch + 1, 0, at_least) if last else (epoch, index + 1, at_least)

    def _ask(self, place: Place) -> list[tuple[Piece, Future[list[Exercise]] | None]]:
        epoch, index, at_least = place
        rank, world = self._own
        return [
            (piece, self._pool.submit(_made, piece) if number % world == rank else None)
            for number, piece in enumerate(self._updates.pieces(epoch, index, at_least=at_least))
        ]

    def _batch(self, piece: Piece, future: Future[list[Exercise]] | None) -> PretrainBatch:
        made = self._updates.exercises(piece) if future is None else future.result()
        return self._updates.packed(piece, made)


_updates: PretrainUpdates


def _begin(updates: PretrainUpdates) -> None:
    """Set up a worker: one thread, no reaction to Ctrl-C, which the parent answers, and no life without the parent."""
    global _updates
    _updates = updates
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _made(piece: Piece) -> list[Exercise]:
    return _updates.exercises(piece)
