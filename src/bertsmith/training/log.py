"""`log.jsonl`: one line for every logged update, every look at what is counted, and every evaluation."""

import json
from pathlib import Path
from typing import Any

from bertsmith.files import json_line, write_text, writing
from bertsmith.training.events import Counted, Evaluated, Event, Started, Updated


class LogFile:
    """Appends to the log; lines a resumed run will write again are cut first."""

    def __init__(self, path: Path, *, every: int = 1) -> None:
        self._path = path
        self._every = every

    def __call__(self, event: Event) -> None:
        """Write what belongs into the log."""
        match event:
            case Started():
                write_text(self._path, "".join(f"{line}\n" for line in self._lines_before(event)))
            case Updated() if event.step % self._every == 0 or event.step in (1, event.total_steps):
                self._append(_update_line(event))
            case Counted():
                self._append({"step": event.step, "counted": event.shares, "updates": event.updates})
            case Evaluated():
                self._append(_evaluation_line(event))
            case _:
                pass

    def _append(self, values: dict[str, Any]) -> None:
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json_line(values) + "\n")

    def _lines_before(self, start: Started) -> list[str]:
        if start.step == 0 or not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if _is_before(line, start)]


def _is_before(line: str, start: Started) -> bool:
    """Whether the line was written before the snapshot; one cut off by a kill was not."""
    try:
        values = json.loads(line)
    except ValueError:
        return False
    return bool(values["step"] <= (start.evaluated_step if "evaluation" in values else start.step))


def _update_line(event: Updated) -> dict[str, Any]:
    parts = event.losses if len(event.losses) > 1 else {}
    return {
        "step": event.step,
        "epoch": round(event.epoch, 4),
        "loss": event.loss,
        **({"losses": parts} if parts else {}),
        "lr": event.lr,
        "grad_norm": event.grad_norm,
        "tokens": event.run_tokens,
        "seconds": round(event.run_seconds, 3),
        "tokens_per_second": round(event.tokens / event.seconds, 1) if event.seconds > 0 else None,
    }


def _evaluation_line(event: Evaluated) -> dict[str, Any]:
    return {
        "step": event.step,
        "epoch": round(event.epoch, 4),
        "evaluation": event.metrics,
        "best": event.is_best,
        "seconds": round(event.run_seconds, 3),
    }
