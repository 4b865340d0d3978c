"""A workplace of its own for every document, example and recipe."""

import shutil
from pathlib import Path

import pytest

from tests.docs.workplace import prepare_workplace
from tests.experiments.inline import run_inline


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workplace")
    prepare_workplace(folder)
    return folder


@pytest.fixture
def workplace(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    for page in ("outputs.run_page", "kept.run_page", "folds.run_page", "tuned.tune_page", "laddered.ladder_page"):
        monkeypatch.setattr(f"bertsmith.report.{page}", lambda *report: "plots take most of a tiny run")
    run_inline(monkeypatch)
    return folder
