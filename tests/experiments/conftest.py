"""A runner whose trials cost nothing."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith.data import Record
from bertsmith.experiments import Trial, TrialRunner
from bertsmith.recipes import FinetuneRecipe, finetune_recipe, make_splits

from ..tiny import rows
from . import stub

PROGRAM = (sys.executable, "-S", "-E", stub.__file__)


def records(number: int, seed: int = 0) -> list[Record]:
    return [Record(text, None, label, where=f"row {place}") for place, (text, label) in enumerate(rows(number, seed))]


@pytest.fixture
def recipe() -> FinetuneRecipe:
    return finetune_recipe(given={"start": {"encoder": "tiny"}, "optimizer": {"lr": 0.5}})


@pytest.fixture
def runner(tmp_path: Path, recipe: FinetuneRecipe) -> Callable[..., TrialRunner]:
    """Makes runners in one folder."""
    splits = make_splits({"train": records(20), "dev": records(8, 1), "test": records(6, 2)}, recipe)

    def make(**settings: Any) -> TrialRunner:
        made = TrialRunner(tmp_path / "out", program=PROGRAM, **settings)
        made.add("data", splits)
        return made

    return make


@pytest.fixture
def trial(recipe: FinetuneRecipe) -> Callable[..., Trial]:
    """Makes trials by their rate."""

    def make(rate: float, *, seed: int = 0, **settings: Any) -> Trial:
        changed = recipe.but(optimizer=recipe.optimizer.but(lr=rate), seed=seed)
        return Trial(recipe=changed, name=f"rate {rate}", **settings)

    return make


@pytest.fixture
def starts(tmp_path: Path) -> Callable[[], list[str]]:
    """The keys of the trials that began, in order."""

    def read() -> list[str]:
        path = tmp_path / "out" / "starts.txt"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []

    return read
