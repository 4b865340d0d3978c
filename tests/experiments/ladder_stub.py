"""Stands in for the worker in tests of the ladder: answers dev as well as the recipe says, and needs no torch.

The share of right answers is the rate, 0.1 more with mean pooling, 0.15 less with a decay; seeds differ a little.
A rate of 1 answers always the same and never learns; above, it is a behaviour.
"""

import json
import random
import struct
import sys
import time
from pathlib import Path

STUCK, FAILS, SLOW = 1.0, 2.0, 3.0


def quality(recipe: dict) -> float:
    rate, features, decay = recipe["optimizer"]["lr"], recipe["features"], recipe["optimizer"]["layer_decay"]
    more = 0.2 * (features["pooling"] == "mean") - 0.15 * (decay < 1)
    known = 0.15 * ("encoders" in str(recipe["start"]["model"]))
    return min(rate + more + known, 1.0)


def write(path: Path, values: list, answers: dict) -> None:
    """A safetensors file, by hand."""
    data = b"".join(struct.pack("<2f", *row) for row in values)
    header = {
        "__metadata__": {"answers": json.dumps({"answers": answers})},
        "values": {"dtype": "F32", "shape": [len(values), 2], "data_offsets": [0, len(data)]},
    }
    told = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(told)) + told + data)


def answered(rows: list, answers: dict, recipe: dict) -> tuple[list, float]:
    """Rows differ in difficulty; the same ones are hard for all."""
    luck = random.Random(json.dumps(recipe))
    values, right = [], 0
    share = quality(recipe) + luck.uniform(-0.01, 0.01)
    for number, row in enumerate(rows):
        hard = random.Random(number).uniform(-0.3, 0.3)
        truth = answers["labels"].index(row["label"])
        said = truth if luck.random() < share + hard * share * (1 - share) else 1 - truth
        if recipe["optimizer"]["lr"] == STUCK:
            said = 0
        right += said == truth
        values.append((1.0 - said, float(said)))
    return values, right / len(rows)


def main() -> None:
    folder = Path(sys.argv[1])
    trial = json.loads((folder / "trial.json").read_text())
    out, recipe = folder.parent.parent, trial["recipe"]
    with (out / "starts.txt").open("a") as file:
        file.write(f"{trial['name']}\n")
    told = {"key": folder.name, "name": trial["name"], "splits": trial["splits"], "seed": recipe["seed"]}
    rate = recipe["optimizer"]["lr"]
    if rate == SLOW:
        sys.stdin.buffer.read()
        time.sleep(0.05)
        sys.exit(130)
    if rate == FAILS:
        told |= {"status": "failed", "error": "the loss is not finite", "code": "not_finite"}
    else:
        splits = json.loads((out / "splits" / f"{trial['splits']}.json").read_text())
        rows = [json.loads(line) for line in (out / "splits" / splits["parts"]["dev"]["file"]).open()]
        values, accuracy = answered(rows, splits["answers"], recipe)
        write(folder / "dev.safetensors", values, splits["answers"])
        losses = [0.7] * 10 if rate == STUCK else [0.7 - 0.05 * step for step in range(10)]
        log = [json.dumps({"step": step, "lr": rate, "loss": loss}) for step, loss in enumerate(losses)]
        (folder / "log.jsonl").write_text("\n".join(log))
        metrics = {"dev": {"accuracy": accuracy, "macro_f1": accuracy}}
        told |= {"status": "done", "metrics": metrics, "seconds": 30, "tokens_per_second": 1000.0}
        if trial["keep"]:
            (folder / "model.safetensors").touch()
    (folder / "outcome.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
