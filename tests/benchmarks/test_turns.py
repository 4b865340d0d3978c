import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from harness import measuring
from harness.cases import Case, Contender, Source
from harness.measuring import Site, Turns, cosines, without_folders
from harness.processes import Failed, Interpreters, Process
from harness.protocol import Ask, Job, Measure, Missing
from harness.state import State, fingerprint

CASE = Case(
    name="toy",
    about="",
    task="encode",
    model="m",
    sources={"texts": Source("zh-short", 2)},
    contenders=(Contender("bertsmith", "float32"), Contender("peer", "float32", ({"batch": 1}, {"batch": 2}))),
)
FACTS = {"model": "m", "sources": {"texts": {"path": "p", "real": True}}}


class Fake:
    """A process that takes as long as its setting says."""

    asked: ClassVar[list[tuple[str, int, object]]] = []
    made: ClassVar[list[str]] = []
    waits: ClassVar[list[int]] = []

    def __init__(self, interpreters: Interpreters, job: Job) -> None:
        self.job = job
        self.made.append(job.system)

    def __enter__(self) -> "Fake":
        return self

    def wait(self) -> None:
        self.waits.append(len(self.made))
        if self.job.system == "gone":
            raise Missing("not installed")

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, ask: Ask) -> Measure:
        self.asked.append((self.job.system, ask.round, ask.setting.get("batch")))
        if self.job.system == "broken":
            raise Failed("Traceback\n  ...\nValueError: no")
        if ask.keep:
            turned = 0.1 if self.job.way == "bfloat16" else 0.0
            np.save(ask.keep, np.array([[np.cos(turned), np.sin(turned)], [1.0, 0.0]]))
        return Measure(float(ask.setting.get("batch", 1)), 1.0)


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "Process", Fake)
    Fake.asked, Fake.made, Fake.waits = [], [], []
    site = Site(tmp_path, Interpreters(), threads=1)
    return lambda case, **more: Turns(case, Site(**{**vars(site), **more}), FACTS, lambda _: None)


def test_systems_take_turns_and_slow_settings_drop_out(turns) -> None:
    entries = turns(CASE).taken()
    assert Fake.asked == [
        *[("bertsmith", 0, None), ("peer", 0, 1), ("peer", 0, 2)],
        *[("peer", 1, 1), ("bertsmith", 1, None)],
        *[("bertsmith", 2, None), ("peer", 2, 1)],
    ]
    assert [len(entry.measures) for entry in entries] == [3, 3, 1]


def test_all_get_ready_at_the_same_time(turns) -> None:
    turns(CASE).taken()
    assert Fake.made == ["bertsmith", "peer"]
    assert Fake.waits == [2, 2]  # both were begun before either was waited for


def test_no_patience_means_two_rounds(turns) -> None:
    turns(Case(**{**vars(CASE), "patience": 0.0})).taken()
    assert max(number for _, number, _ in Fake.asked) == 1


def test_what_is_missing_or_fails_is_said_and_the_others_go_on(turns) -> None:
    contenders = tuple(Contender(name, "float32") for name in ("gone", "broken", "bertsmith"))
    gone, broken, ours = turns(Case(**{**vars(CASE), "contenders": contenders})).taken()
    assert gone.missing == "not installed"
    assert broken.missing == "ValueError: no"
    assert [number for name, number, _ in Fake.asked if name == "broken"] == [0]
    assert len(ours.measures) == 3


def test_only_the_systems_that_are_asked_for(turns) -> None:
    assert {entry.system for entry in turns(CASE, systems=("bertsmith",)).taken()} == {"bertsmith"}


def test_vectors_are_compared_with_the_reference_or_ours_in_float32(turns) -> None:
    contenders = (Contender("bertsmith", "bfloat16"), Contender("bertsmith", "float32"))
    for reference in (("bertsmith", "float32"), ("absent", "float32")):
        case = Case(**{**vars(CASE), "contenders": contenders, "reference": reference})
        half, whole = turns(case).taken()
        assert half.figures["smallest cosine"] == pytest.approx(np.cos(0.1))
        assert half.figures["mean cosine"] == pytest.approx((1 + np.cos(0.1)) / 2)
        assert whole.figures == {}


def test_messages_name_no_folder() -> None:
    assert without_folders("No such file: '/home/me/x/a.json' (/b)") == "No such file: 'a.json' (/b)"


def test_a_process_that_fails_goes_on_and_one_that_ends_is_told(tmp_path: Path) -> None:
    script = tmp_path / "python"
    ready = json.dumps({"ready": True, "measure": None, "missing": None, "failed": None})
    failed = json.dumps({"ready": False, "measure": None, "missing": None, "failed": "no"})
    script.write_text(f"#!/bin/sh\nread job; echo '{ready}'\nread ask; echo '{failed}'\nread ask; exit 3\n")
    script.chmod(0o755)
    job = Job("bertsmith", "encode", "float32", {}, {}, 1)
    with Process(Interpreters(ours=script), job) as process:
        with pytest.raises(Failed, match="no"):
            process.run(Ask({}, 0))
        with pytest.raises(Failed, match="exit code 3"):
            process.run(Ask({}, 1))
        with pytest.raises(Failed, match="exit code 3"):
            process.run(Ask({}, 2))


def test_cosines_of_vectors_of_any_length() -> None:
    found = cosines(np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert found["smallest cosine"] == pytest.approx(0.5**0.5)


def test_peers_without_an_environment_are_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"tools/environment\.py peers"):
        Interpreters(peers=tmp_path / "python").of("transformers")


def test_state_keeps_whole_cases_of_the_same_run(tmp_path: Path) -> None:
    state = State(tmp_path, {"mode": "bench"})
    assert state.find("a") is None
    state.keep("a", {"minutes": 1})
    assert State(tmp_path, {"mode": "bench"}).find("a") == {"minutes": 1}
    assert State(tmp_path, {"mode": "full"}).find("a") is None
    assert [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")] == [{"minutes": 1}]
    state.forget()
    assert state.find("a") is None


def test_other_code_is_another_run(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = fingerprint(tmp_path)
    (tmp_path / "a.txt").write_text("1")
    assert fingerprint(tmp_path) == before
    (tmp_path / "a.py").write_text("2")
    assert fingerprint(tmp_path) != before
