"""How a trial does on dev while it runs, in a file that whoever started it reads."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bertsmith.experiments.trial import Evaluation, Trial
from bertsmith.files import write_text
from bertsmith.training import Evaluated, Event, Started

GiveUp = Callable[[Trial, Sequence[Evaluation]], bool]
"""Whether a trial should be stopped after these evaluations. Must depend on nothing that happens meanwhile."""


def never(trial: Trial, course: Sequence[Evaluation]) -> bool:
    """Let every trial come to its end."""
    return False


class CourseFile:
    """Listens to a run and keeps the file as new as the run; what a resumed run measures again is cut first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._course: list[Evaluation] = []
        self._total = 1

    def __call__(self, event: Event) -> None:
        """Write what was measured."""
        match event:
            case Started():
                self._total = event.total_steps
                self._course = [one for one in read_course(self._path) if one.step <= event.evaluated_step]
                self._write()
            case Evaluated():
                progress = event.step / self._total
                self._course.append(Evaluation(progress=progress, step=event.step, metrics=event.metrics))
                self._write()
            case _:
                pass

    def _write(self) -> None:
        lines = [json.dumps(one.model_dump()) + "\n" for one in self._course]
        write_text(self._path, "".join(lines))


def read_course(path: Path) -> tuple[Evaluation, ...]:
    """The evaluations so far; none if there is no file yet."""
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Evaluation.model_validate(json.loads(line)) for line in lines)


def given_up(trial: Trial, course: Sequence[Evaluation], give_up: GiveUp) -> Sequence[Evaluation] | None:
    """The evaluations up to the first after which the trial should be stopped; None if it should not.

    A trial at its end is never stopped, so a fast one that ended before anybody looked is judged as
    if it had been watched all the time.
    """
    for number, one in enumerate(course, 1):
        if one.progress < 1 and give_up(trial, course[:number]):
            return course[:number]
    return None
