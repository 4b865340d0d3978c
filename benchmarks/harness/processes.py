"""Processes that measure: started with an interpreter, asked over pipes, and ended."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.protocol import Answer, Ask, Job, Measure, Missing, read_answer, written

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-peers" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
LAST_WORDS = 1500
"""Characters of a failure that are kept."""


class Failed(Exception):
    """A process ended, or could not do what it was asked to; the text says why."""


@dataclass(frozen=True)
class Interpreters:
    """Where our system and the peers run; without an environment of their own the peers are missing."""

    ours: Path = Path(sys.executable)
    peers: Path = PEERS

    def of(self, system: str) -> Path:
        """The interpreter of a system.

        Raises:
            Missing: the environment of the peers is not there.
        """
        if system == "bertsmith":
            return self.ours
        if not self.peers.exists():
            raise Missing("no environment of the peers: python3 tools/environment.py peers")
        return self.peers


class Process:
    """One system, which gets ready by itself and then runs rounds; use it as a context."""

    def __init__(self, interpreters: Interpreters, job: Job) -> None:
        command = [str(interpreters.of(job.system)), "-m", "harness.child"]
        self.job = job
        self._ready = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=surroundings(job.system, job.threads),
        )

    def __enter__(self) -> "Process":
        try:
            self._send(written(self.job))
        except BaseException:
            self.close(at_once=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(at_once=kind is not None)

    def wait(self) -> None:
        """Until it is ready.

        Raises:
            Missing: the system cannot be measured here.
            Failed: it could not get ready.
        """
        if not self._ready:
            answer = self._answer()
            if answer.missing is not None:
                raise Missing(answer.missing)
            self._ready = True

    def run(self, ask: Ask) -> Measure:
        """One round.

        Raises:
            Missing: the system cannot be measured here.
            Failed: the system could not do it.
        """
        self.wait()
        self._send(written(ask))
        measure = self._answer().measure
        assert measure is not None
        return measure

    def close(self, *, at_once: bool = False) -> None:
        """End the process; it ends by itself when nothing more can be asked, unless it must `at_once`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if at_once:
            self._process.kill()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self._death()) from None

    def _answer(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(self._death())
        answer = read_answer(line)
        if answer.failed is not None:
            raise Failed(answer.failed[-LAST_WORDS:])
        return answer

    def _death(self) -> str:
        code = self._process.wait()
        hint = " (killed: out of memory?)" if code in (-9, 137) else ""
        return f"the process of {self.job.system} ended with exit code {code}{hint}"


def surroundings(system: str, threads: int) -> Mapping[str, str]:
    """Variables of a process: its threads, no network, no telemetry, nothing told about progress.

    Peers get our setting of glibc's allocator (freed memory is kept): with its own they spend up to half their time on
    long texts in the system.
    """
    paths = [str(ROOT / "benchmarks")] + ([str(ROOT / "src")] if system == "bertsmith" else [])
    number = str(threads)
    chosen = {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": number,
        "MKL_NUM_THREADS": number,
        "RAYON_NUM_THREADS": number,
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONWARNINGS": "ignore",
    }
    if system != "bertsmith":
        chosen |= {"MALLOC_TRIM_THRESHOLD_": "2147483647", "MALLOC_MMAP_MAX_": "0"}
    return {**os.environ, **chosen}
