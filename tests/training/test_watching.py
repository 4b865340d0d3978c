"""What a user sees of a run, and what the log keeps."""

import io
import json
from dataclasses import replace

from bertsmith.training import (
    Counted,
    Ended,
    Evaluated,
    LogFile,
    Noticed,
    ProgressBar,
    ProgressLines,
    Started,
    Updated,
    progress_listener,
)


class Stream(io.StringIO):
    def __init__(self, *, terminal=False):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def updated(step: int, *, total: int = 40, seconds: float = 2.0) -> Updated:
    return Updated(
        step=step,
        total_steps=total,
        epoch=step / 20,
        loss=1.5,
        losses={"loss": 1.5},
        lr=1e-5,
        grad_norm=0.5,
        tokens=1000,
        seconds=seconds,
        run_tokens=1000 * step,
        run_seconds=seconds * step,
    )


def started(step: int = 0, evaluated_step: int = 0, total: int = 40) -> Started:
    return Started(step, evaluated_step, total, (), "cpu", "float32", 1, 1)


def test_lines_every_ten_seconds_without_carriage_returns():
    stream, now = Stream(), [0.0]
    lines = ProgressLines(stream, clock=lambda: now[0])
    lines(started())
    for step in range(1, 41):
        now[0] += 2.0
        lines(updated(step))
    lines(Evaluated(40, 2.0, {"accuracy": 0.5, "loss": 1.0}, is_best=True, run_seconds=80.0))
    lines(Noticed("by the way"))
    lines(Ended(None))
    text = stream.getvalue().splitlines()
    assert text[0] == "training for 40 steps · 0 weights · cpu, float32"
    steps = [int(line.split()[1].removesuffix("/40")) for line in text[1:-2]]
    assert steps == [1, 6, 11, 16, 21, 26, 31, 36, 40]
    assert text[1] == "step 1/40 · epoch 0.05 · loss 1.5000 · 500 tokens/s · 1:18 left"
    assert text[-2:] == ["step 40 · epoch 2.00 · dev accuracy 0.5000 · loss 1.0000 · best so far", "by the way"]
    assert "\r" not in stream.getvalue()


def test_what_is_counted_stands_beside_the_loss_and_in_the_log(tmp_path):
    stream = Stream()
    lines, log = ProgressLines(stream, seconds=0.0), LogFile(tmp_path / "log.jsonl")
    two = replace(updated(1), losses={"masked_tokens": 1.0, "pair_relation": 0.5})
    for event in (started(), two, Counted(1, 1, {"masked_accuracy": 0.25}), updated(2)):
        lines(event)
        log(event)
    first, second = stream.getvalue().splitlines()[1:]
    assert "loss 1.5000 (masked_tokens 1.0000, pair_relation 0.5000) · 500 tokens/s" in first
    assert "loss 1.5000 · masked_accuracy 0.250 · 500 tokens/s" in second
    kept = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert kept[1] == {"step": 1, "counted": {"masked_accuracy": 0.25}, "updates": 1}
    log(started(step=1))
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_resumed_run_says_where_it_goes_on():
    stream = Stream()
    ProgressLines(stream)(started(step=7))
    assert stream.getvalue().startswith("going on after step 7 of 40")


def test_terminal_gets_a_bar_and_anything_else_lines():
    assert isinstance(progress_listener(Stream(terminal=True)), ProgressBar)
    assert isinstance(progress_listener(Stream()), ProgressLines)


def test_bar_shows_the_run():
    stream = Stream(terminal=True)
    bar = ProgressBar(stream)
    for event in (started(total=3), *(updated(step, total=3) for step in (1, 2, 3)), Noticed("by the way")):
        bar(event)
    bar(Ended(None))
    assert "3/3" in stream.getvalue()
    assert "500 tokens/s" in stream.getvalue()
    assert "by the way" in stream.getvalue()


def test_log_line_of_an_update(tmp_path):
    log = LogFile(tmp_path / "log.jsonl")
    log(started())
    log(updated(3))
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {
        "step": 3,
        "epoch": 0.15,
        "loss": 1.5,
        "lr": 1e-5,
        "grad_norm": 0.5,
        "tokens": 3000,
        "seconds": 6.0,
        "tokens_per_second": 500.0,
    }


def test_log_may_be_sparse_but_has_both_ends(tmp_path):
    log = LogFile(tmp_path / "log.jsonl", every=10)
    for step in range(1, 26):
        log(updated(step, total=25))
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 10, 20, 25]


def test_new_run_starts_a_new_log_and_resumed_one_cuts_it(tmp_path):
    path = tmp_path / "log.jsonl"
    log = LogFile(path)
    for step in (1, 2, 3):
        log(updated(step))
    log(Evaluated(3, 0.1, {"accuracy": 1.0}, is_best=True, run_seconds=1.0))
    log(started(step=3, evaluated_step=0))
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
    log(started(step=2))
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2]
    log(started())
    assert path.read_text() == ""
