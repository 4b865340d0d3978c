import json
from pathlib import Path

import pytest

import run
from harness import ceiling
from harness.protocol import Ask, Job

from .recorded import case, entry, measure


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--list"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ("encode-zh", "finetune-mixed", "pretrain-electra", "startup"))


def test_unknown_case_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="encode-xx: not one of"):
        run.main(["--only", "encode-xx", "--work", str(tmp_path)])
    with pytest.raises(SystemExit, match="sts-b: needs --data"):
        run.main(["--only", "sts-b", "--work", str(tmp_path)])


def test_interrupted_run_goes_on_after_the_last_complete_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    interrupts = [True]

    def fake(one, site, say):
        asked.append(one.name)
        if one.name == "simcse" and interrupts:
            raise KeyboardInterrupt
        return case(entry("bertsmith", "bfloat16", measure(1.0)), name=one.name)

    monkeypatch.setattr(run, "measured", fake)
    monkeypatch.setattr(run, "ceilings", lambda site: {"bfloat16": 1e9})
    command = ["--only", "encode-zh", "simcse", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    assert run.main(command) == 130
    assert not (tmp_path / "out").exists()
    interrupts.clear()
    assert run.main(command) == 0
    assert asked == ["encode-zh", "simcse", "simcse"]
    assert "| simcse | bertsmith |" in capsys.readouterr().out
    assert run.main(command) == 0  # complete: the next one begins anew
    assert asked[3:] == ["encode-zh", "simcse"]
    assert len(list((tmp_path / "out").glob("*.json"))) == 2
    run.main([*command, "--anew"])


def test_paths_and_host_stay_out_of_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        run, "measured", lambda one, site, say: case(entry("bertsmith", "a", measure(1.0)), name=one.name)
    )
    monkeypatch.setattr(run, "ceilings", lambda site: {})
    run.main(["--only", "generate", "--work", str(tmp_path / "secret"), "--out", str(tmp_path / "out")])
    for path in (tmp_path / "out").iterdir():
        assert "secret" not in path.read_text(encoding="utf-8")


def ceilings_here(site) -> dict[str, float]:
    """Measured in this process, which has torch loaded already."""
    return dict(ceiling.prepare(Job("bertsmith", "ceiling", "", {}, {"quick": True}, 1))(Ask({}, 0)).figures)


def test_quick_run_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Our own system only, on generated texts: models made, processes started, rounds run, files written."""
    monkeypatch.setattr(run, "ceilings", ceilings_here)
    work, out = tmp_path / "work", tmp_path / "out"
    command = ["--quick", "--only", "encode-zh", "--systems", "bertsmith", "--threads", "1"]
    assert run.main([*command, "--work", str(work), "--out", str(out)]) == 0
    (found,) = out.glob("*.json")
    told = json.loads(found.read_text(encoding="utf-8"))
    (encoded,) = told["cases"]
    assert [one["way"] for one in encoded["entries"]] == ["bfloat16", "float32"]
    assert encoded["entries"][0]["figures"]["smallest cosine"] > 0.99
    assert encoded["amount"]["texts"] == 48
    assert encoded["amount"]["tokens"] > 48 * 5
    assert all(rate > 0 for rate in told["ceilings"].values())
    page = found.with_suffix(".html").read_text(encoding="utf-8")
    assert "<svg" not in page  # no peer, no ratio
    assert "encode-zh" in page
    table = capsys.readouterr().out
    assert "| encode-zh | bertsmith | bfloat16 |" in table
    assert "the figures say nothing" in table
    assert not any(verdict in table for verdict in ("reached", "missed", "not measured"))
