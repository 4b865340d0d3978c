"""Measure bertsmith beside its peers, end to end: from text to vector, from text to trained model.

    python benchmarks/run.py                    every case, sized for 20 minutes on two quiet cores
    python benchmarks/run.py --full             no limit: up to a million texts, whole trainings over seeds
    python benchmarks/run.py --quick            a minute or two, some cases on tiny models: to see that it runs
    python benchmarks/run.py --only encode-zh   some cases; --list says which there are
    python benchmarks/run.py --data PATH        real texts (classification/, sts/, raw/...) in place of generated ones

Each system runs in processes of its own, the peers with the interpreter of .venv-peers (python3 tools/environment.py
peers). A run that was interrupted goes on with the same command. The tables go to stdout; JSON and a page with plots to
benchmarks/results/, named by date and processor (with --quick, or parts of the systems, only where --out says).
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import recording
from choices import real_encoder
from harness.cases import FOR_QUICK, Case, Mode, all_cases
from harness.measuring import Site, ceilings, measured, stamp, to_stderr
from harness.processes import PEERS, ROOT, Failed, Interpreters
from harness.rows import Row, rows_of
from harness.state import State, fingerprint
from harness.tables import results_table, verdicts_of, verdicts_table

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for, print the tables, write the files."""
    options = parser().parse_args(arguments)
    if options.data is not None and not options.data.is_dir():
        sys.exit(f"--data {options.data}: there is no such folder; it holds classification/, sts/, raw/ and others")
    mode: Mode = "full" if options.full else "quick" if options.quick else "bench"
    cases = {case.name: case for case in all_cases(mode)}
    if options.list:
        print("\n".join(f"{name:18} {case.about}" for name, case in cases.items()))
        return 0
    site = Site(
        work=options.work,
        interpreters=Interpreters(peers=options.peers),
        threads=options.threads or usable_cores(),
        device=options.device,
        data=None if options.data is None else options.data.resolve(),
        encoder=options.model.resolve() if options.model else real_encoder(),
        quick=options.quick,
        systems=tuple(options.systems) if options.systems else None,
    )
    chosen = runnable(options.only, cases, site)
    state = State(options.work, identity(mode, chosen, site))
    if options.anew:
        state.forget()
    try:
        found = [of_case(case, site, state) for case in chosen]
        limits = kept(state, "ceilings", lambda: ceilings(site))
    except KeyboardInterrupt:
        to_stderr("interrupted; the same command goes on after the last complete case")
        return 130
    told = about(mode, arguments, site, limits, found)
    show_and_write(told, cases, out=options.out or (RESULTS if worth_keeping(options) else None), state=state)
    return 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = made.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="sizes without limit, five rounds")
    size.add_argument("--quick", action="store_true", help="little of everything on tiny models, one round")
    made.add_argument("--only", nargs="+", metavar="CASE", help="cases to run (all)")
    made.add_argument("--list", action="store_true", help="say what there is and stop")
    made.add_argument("--data", type=Path, metavar="PATH", help="folder with labelled sets and raw text")
    made.add_argument("--model", type=Path, metavar="PATH", help="English sentence encoder (all-MiniLM-L6-v2)")
    made.add_argument("--systems", nargs="+", metavar="NAME", help="bertsmith, transformers, ... (all)")
    made.add_argument(
        "--peers", type=Path, default=PEERS, metavar="FILE", help="interpreter of the peers (.venv-peers)"
    )
    made.add_argument("--threads", type=int, metavar="N", help="threads to compute with (every core this may use)")
    made.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda, for the systems that can (cpu)")
    made.add_argument("--out", type=Path, metavar="FOLDER", help="where JSON and page go (benchmarks/results)")
    made.add_argument("--work", type=Path, default=ROOT / "runs/bench", metavar="FOLDER", help="texts, models, state")
    made.add_argument("--anew", action="store_true", help="do not go on with an interrupted run")
    return made


def usable_cores() -> int:
    """The cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_keeping(options: argparse.Namespace) -> bool:
    """Whether a run belongs among the results."""
    return not options.quick and options.systems is None


def runnable(only: Sequence[str] | None, cases: Mapping[str, Case], site: Site) -> list[Case]:
    """The cases to run; what cannot be had is said, and ends the run if it was asked for by name."""
    for name in only or ():
        if name not in cases:
            sys.exit(f"{name}: not one of --list ({', '.join(cases)})")
    chosen = []
    usual = FOR_QUICK if site.quick else tuple(cases)
    for name in only or usual:
        missing = site.missing(cases[name])
        if missing is None:
            chosen.append(cases[name])
        elif only:
            sys.exit(f"{name}: needs {missing}")
        else:
            to_stderr(f"{name}: left out, for want of {missing}")
    return chosen


def identity(mode: Mode, chosen: Sequence[Case], site: Site) -> dict[str, Any]:
    """All that must be the same for measures to stand beside each other."""
    return {
        "mode": mode,
        "cases": [case.name for case in chosen],
        "threads": site.threads,
        "device": site.device,
        "data": str(site.data),
        "model": str(site.encoder),
        "systems": site.systems,
        "code": [stamp(), fingerprint(ROOT / "src", ROOT / "benchmarks/harness")],
        "peers": [str(site.interpreters.peers), peers_versions(site)],
    }


def peers_versions(site: Site) -> str:
    """What is pinned for the peers, if they are there."""
    pins = ROOT / "constraints-peers.txt"
    return pins.read_text(encoding="utf-8") if site.interpreters.peers.exists() and pins.exists() else ""


def of_case(case: Case, site: Site, state: State) -> dict[str, Any]:
    """Measure a case, unless an interrupted run has done so."""
    to_stderr(f"{case.name}: {case.about}")
    return kept(state, case.name, lambda: measured(case, site, to_stderr))


def kept(state: State, name: str, work: Any) -> dict[str, Any]:
    """What is known already, or what is found now."""
    found = state.find(name)
    if found is None:
        try:
            found = work()
        except Failed as failure:
            sys.exit(f"{name}: {failure}")
        state.keep(name, found)
    return found


def about(
    mode: Mode, arguments: Sequence[str], site: Site, limits: Mapping[str, float], found: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The whole of a run, as it is written."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": recording.machine(),
        "mode": mode,
        "command": recording.without_paths(arguments),
        "commit": commit(),
        **recording.surroundings(),
        "peers": ", ".join(line for line in peers_versions(site).splitlines() if line.startswith(TOLD)),
        "threads": site.threads,
        "device": site.device,
        "minutes": round(sum(case["minutes"] for case in found), 1),
        "texts": "real" if site.data else "generated",
        "ceilings": dict(limits),
        "cases": list(found),
    }


TOLD = ("transformers==", "sentence-transformers==", "onnxruntime==", "torch==", "accelerate==", "faiss-cpu==")


def commit() -> str:
    """Which code this is."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def show_and_write(told: Mapping[str, Any], cases: Mapping[str, Case], *, out: Path | None, state: State) -> None:
    """Tables to stdout, JSON and page to a folder; then nothing is left to go on with."""
    rows: list[Row] = [row for case in told["cases"] for row in rows_of(case, told["ceilings"])]
    verdicts = verdicts_of(rows, cases)
    facts = {name: said(value) for name, value in told.items() if name != "cases"}
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if told["mode"] == "quick":
        print("\nquick: one round of little on tiny models; it ran, and the figures say nothing")
    print(f"\n{results_table(rows, cases)}")
    if verdicts:
        print(f"\n{verdicts_table(verdicts)}")
    if out is not None:
        from harness.picture import results_page

        path = free(out, f"{told['date'][:10]}-{told['machine']}-{told['mode']}")
        path.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        title = f"bertsmith beside its peers, {told['date'][:10]}"
        path.with_suffix(".html").write_text(results_page(title, facts, rows, verdicts, cases), encoding="utf-8")
        to_stderr(f"written: {path}.json and .html")
    state.forget()


def said(value: Any) -> str:
    """A fact in words; operations a second as GFLOP/s."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in value.items())
    return str(value)


def free(folder: Path, name: str) -> Path:
    """A name in a folder that no earlier run of this day has."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while (path := folder / (name if number == 1 else f"{name}-{number}")).with_suffix(".json").exists():
        number += 1
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
