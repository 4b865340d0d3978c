"""Ctrl-C and SIGTERM ask a run to stop where it loses nothing."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from bertsmith.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Between `with` and its end the first signal only sets `asked`; a second one interrupts at once.

    Outside the main thread Python delivers no signals, and nothing is changed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._at_once = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """A stretch without anything to lose, such as an evaluation: a signal raises `Interrupted` there."""
        self._at_once = True
        try:
            if self.asked:
                raise Interrupted("asked to stop")
            yield
        finally:
            self._at_once = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if self._at_once:
            raise Interrupted("asked to stop")
        if again:
            raise KeyboardInterrupt
