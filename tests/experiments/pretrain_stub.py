"""Stands in for `bertsmith pretrain` and `finetune`: leaves metrics.json, and tells how it was called."""

import json
import sys
from pathlib import Path


def main() -> None:
    arguments = sys.argv[1:]
    out = Path(arguments[arguments.index("--out") + 1])
    with (out.parent / "calls.txt").open("a") as file:
        file.write(json.dumps(arguments) + "\n")
    if "13" in arguments:
        print("error: the corpus is too small", file=sys.stderr)
        sys.exit(2)
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.safetensors").touch()
    (out / "metrics.json").write_text(json.dumps({"seconds": 60.0, "tokens_per_second": 500.0}))


if __name__ == "__main__":
    main()
