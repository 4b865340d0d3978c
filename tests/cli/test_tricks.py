"""All tricks at once from the command line: killed for real and resumed, shared by two processes, told beforehand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from ..tiny import arguments, call, environment
from .test_repeating import started, wait_for_snapshot, weights

SETTINGS = [
    "freeze.kind=gradual",
    "averaging.kind=ema",
    "averaging.decay=0.9",
    "adversarial.kind=pgd",
    "adversarial.steps=2",
    "r_drop.alpha=0.5",
    "criterion.kind=focal",
    "criterion.class_weights=effective",
    "optimizer.decayed=layers",
    "optimizer.layer_decay=0.9",
    'optimizer.rates={"head.*": 0.01}',
    "calibrate=true",
]
ALL = [part for setting in SETTINGS for part in ("--set", setting)]


def with_teacher(folder: Path) -> list[str]:
    return [*ALL, "--set", f"distill.teacher={folder / 'out'}"]


def test_killed_with_all_tricks_on_and_resumed_from_the_folder_alone(trained, tmp_path, capsys):
    options = [*with_teacher(trained), "--set", "snapshot_every=2"]
    told = call(capsys, *arguments(trained, *options, out=tmp_path / "whole", epochs="12"))
    assert told.code == 0, told.err
    assert set(told.json["calibration"]["expected_calibration_error"]) == {"dev", "test"}
    out = tmp_path / "killed"
    process = started(arguments(trained, *options, out=out, epochs="12"))
    wait_for_snapshot(process, out, 12)
    process.kill()
    process.communicate()
    assert not (out / "model.safetensors").exists()
    told = call(capsys, "finetune", "--out", out, "--resume", "--json")
    assert told.code == 0, told.err
    assert "going on after step" in told.err
    assert weights(out) == weights(tmp_path / "whole")
    assert (out / "config.json").read_bytes() == (tmp_path / "whole" / "config.json").read_bytes()
    report = (out / "report.html").read_text()
    assert "expected calibration error" in report
    assert "layer 1 (from epoch 2)" in report
    assert "layer decay, rates by name, freezing, R-Drop, teacher, n-grams, calibration, PGD, EMA" in report


@pytest.mark.distributed
def test_two_processes_give_what_one_gives(trained, tmp_path, capsys):
    exact = ("--set", "head.dropout=0", "--set", "start.dropout=0", "--set", "batches.max_tokens=40")
    options = [*with_teacher(trained), *exact]
    one = call(capsys, *arguments(trained, *options, out=tmp_path / "one"))
    assert one.code == 0, one.err
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "bertsmith"]
    done = subprocess.run(
        [*torchrun, *arguments(trained, *options, out=tmp_path / "two")],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
    assert json.loads(done.stdout)["dev"] == pytest.approx(one.json["dev"], abs=1e-6)


def test_a_dry_run_shows_groups_by_name_and_epoch(trained, tmp_path, capsys):
    told = call(capsys, *arguments(trained, *ALL, "--dry-run", out=tmp_path / "none"))
    groups = {group["name"]: group["rate"] for group in told.json["groups"]}
    assert groups["head (head.*)"] == 0.01
    assert groups["layer 1 (from epoch 2)"] == groups["embeddings (from epoch 3)"] == 1e-3


@pytest.mark.parametrize(
    ("setting", "code", "told"),
    [
        ("freeze.kind=bottom freeze.layers=2", "bad_setting", "this encoder has 1 layer"),
        ("freeze.kind=top", "bad_setting", "'bottom', 'gradual'"),
        ('optimizer.rates={"crf.*":1}', "bad_setting", "the whole name of no parameter"),
        ("adversarial.epsilon=1", "bad_setting", "adversarial: Unable to extract tag"),
        ("distill.teacher=no/where/at/all", None, "no/where/at/all"),
        ("start.layers=1", "bad_setting", "a shape says its layers itself"),
    ],
)
def test_what_does_not_fit_is_refused(trained, tmp_path, capsys, setting, code, told):
    settings = [part for each in setting.split() for part in ("--set", each)]
    found = call(capsys, *arguments(trained, *settings, out=tmp_path / "none"))
    assert found.code == 2
    assert told in found.json["error"]["message"]
    assert code is None or found.json["error"]["code"] == code
    assert not (tmp_path / "none").exists()


def test_what_the_n_grams_are_worth_is_printed_reported_and_used(files, capsys):
    told = call(capsys, *(part for part in arguments(files) if part != "--json"))
    assert told.code == 0, told.err
    assert told.out.count("  of which the encoder alone accuracy") == 2
    assert told.out.count("  of which the n-grams alone accuracy") == 2
    report = (files / "out" / "report.html").read_text()
    assert "What n-grams add to the encoder" in report
    assert "the n-grams alone" in report
    found = json.loads((files / "out" / "metrics.json").read_text())
    assert found["ngrams"]["test"]["both"] == found["test"]
    again = call(capsys, "evaluate", "--model", files / "out", "--data", files / "test.csv", "--json")
    assert again.json["metrics"] == found["test"]
