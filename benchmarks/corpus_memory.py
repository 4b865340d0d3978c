"""Does memory stay flat when the corpus grows? Pre-training a few steps on a text and on ten times as much.

python benchmarks/corpus_memory.py --corpus FILE [--characters 3000000]

Each run is a process of its own, from the command line, vocabulary, shards and all; the peak of its resident
memory is what the system says of it afterwards.
"""

import argparse
import os
import sys
import tempfile
from itertools import count
from pathlib import Path

from bertsmith.data.corpus import Corpus


def main() -> None:
    """Two corpora, two runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, metavar="FILE")
    parser.add_argument("--characters", type=int, default=3_000_000, help="of the smaller corpus")
    options = parser.parse_args()
    print("| characters | peak memory, MB |\n|---:|---:|")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for factor in (1, 10):
            text = Path(folder) / f"{factor}.txt"
            characters = excerpt(options.corpus, text, options.characters * factor)
            peaks.append(peak_of(text, Path(folder) / f"out{factor}"))
            print(f"| {characters:,} | {peaks[-1] / 1e6:.0f} |", flush=True)
    print(f"\n{peaks[1] / peaks[0]:.3f} times the memory")


def excerpt(source: Path, target: Path, characters: int) -> int:
    """Copy the first documents, as many as make up the characters."""
    size = 0
    with target.open("w", encoding="utf-8") as file:
        for number, paragraph in zip(count(), Corpus(paths=(source,)).paragraphs(), strict=False):
            if paragraph.opens and size >= characters:
                break
            file.write(("\n" if paragraph.opens and number else "") + paragraph.text + "\n")
            size += len(paragraph.text)
    return size


def peak_of(text: Path, out: Path) -> int:
    """Bytes a run held at most."""
    command = ["-m", "bertsmith", "pretrain", "--objective", "wwm", "--encoder", "tiny", "--steps", "30"]
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, *command, "--corpus", str(text), "--out", str(out), "--set", "threads=1"],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 2, str(out) + ".log", os.O_WRONLY | os.O_CREAT, 0o600)],
    )
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"the run failed: {Path(str(out) + '.log').read_text(encoding='utf-8')}")
    return usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
