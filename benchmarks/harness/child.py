"""A process that measures one system: it reads a job, gets ready, then runs rounds as it is asked to.

    python -m harness.child < lines of JSON

It runs in the environment of the system, into which only that system is imported. What the system prints goes to
stderr; stdout belongs to the answers.
"""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from harness.protocol import Answer, Ask, Job, Measure, Missing, read_ask, read_job, written

MODULES = {
    ("bertsmith", "encode"): "ours_encoding",
    ("bertsmith", "curve"): "ours_encoding",
    ("bertsmith", "sts"): "ours_encoding",
    ("bertsmith", "finetune"): "ours_training",
    ("bertsmith", "tagging"): "ours_training",
    ("bertsmith", "simcse"): "ours_training",
    ("bertsmith", "pretrain"): "ours_training",
    ("bertsmith", "generate"): "ours_generation",
    ("bertsmith", "search"): "ours_search",
    ("bertsmith", "startup"): "ours_startup",
    ("bertsmith", "materials"): "materials",
    ("bertsmith", "ceiling"): "ceiling",
    ("sentence-transformers", "encode"): "peer_encoding",
    ("sentence-transformers", "simcse"): "peer_simcse",
    ("onnxruntime", "encode"): "peer_onnx",
    ("transformers", "finetune"): "peer_training",
    ("transformers", "tagging"): "peer_training",
    ("transformers", "pretrain"): "peer_pretraining",
    ("transformers", "generate"): "peer_generation",
    ("numpy", "search"): "peer_search",
    ("faiss", "search"): "peer_search",
}
"""Which module measures a system at a task. It has `prepare(job)`, which gives a function from rounds to measures."""

Round = Callable[[Ask], Measure]


def main() -> None:
    """Answer until nothing more is asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness ends its processes itself
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    job = read_job(sys.stdin.readline())
    try:
        run = prepared(job)
    except Missing as reason:
        out.write(written(Answer(missing=str(reason))) + "\n")
        return
    except Exception:  # whatever a peer raises is told to the harness, which says it in the row
        out.write(written(Answer(failed=traceback.format_exc())) + "\n")
        return
    out.write(written(Answer(ready=True)) + "\n")
    for line in sys.stdin:
        try:
            answer = Answer(measure=run(read_ask(line)))
        except Exception:
            answer = Answer(failed=traceback.format_exc())
        out.write(written(answer) + "\n")


def prepared(job: Job) -> Round:
    """Import the system, and let it get ready and warm."""
    name = MODULES[job.system, job.task]
    if name not in ("ours_startup",):
        import torch

        torch.set_num_threads(job.threads)
    run: Round = import_module(f"harness.{name}").prepare(job)
    return run


class Watch:
    """Seconds of the clock and of all threads of this process, and its peak of resident memory meanwhile."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        forget_peak()
        self._wait()
        self.began, self.worked = time.perf_counter(), time.process_time()
        self.ended: tuple[float, float] | None = None

    def stop(self) -> None:
        """What comes later does not count."""
        self._wait()
        self.ended = time.perf_counter(), time.process_time()

    def measure(self, *, tokens: int | None = None, figures: dict[str, float] | None = None) -> Measure:
        """What was measured."""
        if self.ended is None:
            self.stop()
        assert self.ended is not None
        clock, worked = self.ended
        return Measure(clock - self.began, worked - self.worked, peak_bytes(), tokens, figures or {})

    def _wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device != "cpu":
            import torch

            torch.cuda.synchronize()


def forget_peak() -> None:
    """Let the peak of resident memory begin anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """The peak of resident memory, in bytes.

    Linux tells that of this program; `getrusage` would also count what the process that started it held.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
