"""Shards made by several processes, given back in order."""

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

from bertsmith.data.corpus import Part
from bertsmith.data.shards.annotating import Annotator
from bertsmith.data.shards.making import Made, make_shard


def make_shards(parts: Iterable[Part], folder: Path, annotator: Annotator, processes: int) -> Iterator[Made]:
    """Make all shards; with several processes, no more parts are held than these can work on."""
    if processes == 1:
        yield from (make_shard(part, folder, annotator) for part in parts)
        return
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(folder, annotator)
    )
    waiting: deque[Future[Made]] = deque()
    try:
        for part in parts:
            waiting.append(pool.submit(_make, part))
            if len(waiting) > processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_task: tuple[Path, Annotator]


def _begin(folder: Path, annotator: Annotator) -> None:
    """Set up a worker: one thread, no reaction to Ctrl-C, which the parent answers, and no life without the parent."""
    global _task
    _task = folder, annotator
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _make(part: Part) -> Made:
    return make_shard(part, *_task)
