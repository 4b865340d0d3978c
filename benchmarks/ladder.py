"""A whole ladder on a sample of a real set: does it end within its time, and what does it say?

    python benchmarks/ladder.py --data PATH --model M --out FOLDER [--rows 5000 --minutes 60 --processes 2]

PATH holds `classification/zh_thucnews_title`; the same command goes on where it was interrupted. Everything after `--`
goes to `bertsmith ladder`. Printed: every option with its verdict, the figures on test, and the time taken.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bertsmith.data import write_rows
from jobs import Texts
from sets import THUCNEWS


def main() -> None:
    """Write the samples and climb."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help="folder with classification/")
    parser.add_argument("--model", required=True, metavar="M", help="the encoder to start from")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=5000, metavar="N", help="texts drawn of train")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("more", nargs="*", metavar="-- MORE")
    options = parser.parse_args()
    files = samples(options.data, options.out / "data", options.rows)
    began = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bertsmith", "ladder", "--task", "classification", "--model", options.model),
            *(part for name, path in files.items() for part in (f"--{name}", str(path))),
            *("--minutes", str(options.minutes), "--processes", str(options.processes)),
            *("--out", str(options.out / "ladder"), *options.more),
        ],
        check=False,
    )
    minutes = (time.perf_counter() - began) / 60
    print(f"exit code {done.returncode}, {minutes:.1f} of {options.minutes:g} minutes")


def samples(data: Path, folder: Path, rows: int) -> dict[str, Path]:
    """A file for every split: of train a sample, of dev and test at most 2,000 texts."""
    paths = {}
    for split, number in (("train", rows), ("dev", 2000), ("test", 2000)):
        texts: Texts = THUCNEWS.read(data, split).sample(number, seed=0)
        paths[split] = folder / f"{split}.tsv"
        lines = zip(texts.texts, texts.labels, strict=True)
        write_rows(paths[split], ({"text": text, "label": label} for text, label in lines))
    return paths


if __name__ == "__main__":
    main()
