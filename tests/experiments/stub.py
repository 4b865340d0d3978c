"""Stands in for the worker: reads `trial.json`, does what the rate says, and needs no torch.

A rate below 1 is its own dev accuracy, reached in four even steps. Above, it is a behaviour.
"""

import json
import os
import sys
import time
from pathlib import Path

FAILS, DIES, HANGS = 2.0, 3.0, 4.0


def evaluated(folder: Path, steps: int, accuracy: float, of: int = 4) -> list[dict]:
    course = [
        {"progress": (step + 1) / of, "step": step + 1, "metrics": {"accuracy": accuracy * (step + 1) / of}}
        for step in range(steps)
    ]
    (folder / "course.new").write_text("".join(json.dumps(one) + "\n" for one in course))
    (folder / "course.new").replace(folder / "course.jsonl")
    return course


def main() -> None:
    folder = Path(sys.argv[1])
    trial = json.loads((folder / "trial.json").read_text())
    with (folder.parent.parent / "starts.txt").open("a") as file:
        file.write(f"{folder.name} {os.getpid()}\n")
    rate = trial["recipe"]["optimizer"]["lr"]
    told = {"key": folder.name, "name": trial["name"], "splits": trial["splits"], "seed": trial["recipe"]["seed"]}
    if rate == DIES:
        print("no memory left", flush=True)
        os._exit(7)
    if rate == HANGS:
        evaluated(folder, 1, 0.9)
        sys.stdin.buffer.read()
        time.sleep(0.1)
        sys.exit(130)
    if rate == FAILS:
        told |= {"status": "failed", "error": "the loss is not finite", "code": "not_finite"}
    else:
        accuracy = round(rate + trial["recipe"]["seed"] / 1000, 6)
        course = evaluated(folder, 4, accuracy)
        told |= {"status": "done", "metrics": {"dev": {"accuracy": accuracy}}, "course": course, "seconds": 30}
        (folder / "dev.safetensors").touch()
        if trial["keep"]:
            (folder / "model.safetensors").touch()
    (folder / "outcome.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
