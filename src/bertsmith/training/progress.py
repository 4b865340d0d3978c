"""How a run looks while it runs: a bar on a terminal, plain lines everywhere else."""

import sys
import time
from collections.abc import Callable
from typing import IO, Protocol, cast, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from bertsmith.training.events import Counted, Ended, Evaluated, Event, Listener, Noticed, Started, Updated


@runtime_checkable
class TextStream(Protocol):
    """Where progress is written."""

    def write(self, text: str, /) -> int:
        """Add text."""
        ...

    def flush(self) -> None:
        """Show it now."""
        ...

    def isatty(self) -> bool:
        """Whether somebody looks at it as it comes."""
        ...


def progress_listener(stream: TextStream | None = None) -> Listener:
    """A bar if the stream (stderr) is a terminal, else a plain line every ten seconds."""
    target = stream or sys.stderr
    return ProgressBar(target) if target.isatty() else ProgressLines(target)


class Pace:
    """Tokens a second and time left, from the updates of this session alone."""

    def __init__(self) -> None:
        self._steps = self._tokens = 0
        self._seconds = 0.0
        self._shares: dict[str, float] = {}

    def count(self, event: Counted) -> None:
        """Remember what was counted, to say it with the updates to come."""
        self._shares = event.shares

    def see(self, event: Updated) -> str:
        """Count an update and say how it goes."""
        self._steps += 1
        self._tokens += event.tokens
        self._seconds += event.seconds
        left = (event.total_steps - event.step) * self._seconds / self._steps
        speed = self._tokens / self._seconds if self._seconds else 0.0
        told = [f"epoch {event.epoch:.2f}", _losses(event)]
        told += [f"{name} {value:.3f}" for name, value in self._shares.items()]
        return " · ".join([*told, f"{speed:,.0f} tokens/s", f"{_clock(left)} left"])


class ProgressLines:
    """Plain lines, the first update, the last, and one every few seconds between; no carriage returns."""

    def __init__(
        self, stream: TextStream, *, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._seconds = seconds
        self._clock = clock
        self._pace = Pace()
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        """Say what is worth a line."""
        match event:
            case Started():
                self._next = self._clock()
                self._say(_started(event))
            case Updated():
                text = self._pace.see(event)
                if self._clock() >= self._next or event.step == event.total_steps:
                    self._next = self._clock() + self._seconds
                    self._say(f"step {event.step}/{event.total_steps} · {text}")
            case Counted():
                self._pace.count(event)
            case Evaluated():
                self._say(_evaluated(event))
            case Noticed():
                self._say(event.text)
            case Ended():
                pass

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class ProgressBar:
    """A bar that moves, with lines for what should stay."""

    def __init__(self, stream: TextStream) -> None:
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.description}"),
            console=Console(file=cast(IO[str], stream)),
        )
        self._task: TaskID | None = None
        self._pace = Pace()

    def __call__(self, event: Event) -> None:
        """Move the bar."""
        match event:
            case Started():
                self._bar.start()
                self._bar.console.print(_started(event), highlight=False)
                self._task = self._bar.add_task("", total=event.total_steps, completed=event.step)
            case Updated() if self._task is not None:
                self._bar.update(self._task, completed=event.step, description=self._pace.see(event))
            case Counted():
                self._pace.count(event)
            case Evaluated():
                self._bar.console.print(_evaluated(event), highlight=False)
            case Noticed():
                self._bar.console.print(event.text, highlight=False)
            case Ended():
                self._bar.stop()
            case _:
                pass


def _losses(event: Updated) -> str:
    """The loss, and what it is the sum of."""
    parts = [f"{name} {value:.4f}" for name, value in event.losses.items()] if len(event.losses) > 1 else []
    return f"loss {event.loss:.4f}" + (f" ({', '.join(parts)})" if parts else "")


def _started(event: Started) -> str:
    numbers = sum(group.size for group in event.groups)
    goes = f"going on after step {event.step} of" if event.step else "training for"
    shared = f" on {event.processes} processes" if event.processes > 1 else ""
    return f"{goes} {event.total_steps} steps · {numbers:,} weights · {event.device}, {event.dtype}{shared}"


def _evaluated(event: Evaluated) -> str:
    values = " · ".join(f"{name} {value:.4f}" for name, value in event.metrics.items())
    return f"step {event.step} · epoch {event.epoch:.2f} · dev {values}{' · best so far' if event.is_best else ''}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
