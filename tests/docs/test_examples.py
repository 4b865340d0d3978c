"""What the documents show is run: shell lines with tiny budgets, Python as it stands, recipes as recipes."""

import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertsmith.cli import main
from bertsmith.cli.tasks import read_recipe
from bertsmith.experiments import ladder_recipe, tune_recipe
from tests.docs.documents import DOCUMENTS, ROOT, RUN, SHOWN, Block, blocks

TINY = {
    "finetune": ["--set", "budget.max_steps=2", "--device", "cpu"],
    "pretrain": ["--set", "budget.max_steps=2", "--set", "texts.batch_size=4", "--device", "cpu"],
    "contrast": ["--set", "budget.max_steps=2", "--device", "cpu"],
    "demo": ["--set", "budget.max_steps=2", "--device", "cpu"],
    "ladder": [
        *("--rungs", "decay", "--seeds", "2", "--set", "ladder.few_texts=null"),
        *("--set", "budget.max_steps=2", "--device", "cpu"),
    ],
    "tune": ["--set", "budget.max_steps=2", "--device", "cpu"],
    "folds": ["--set", "budget.max_steps=2", "--device", "cpu"],
}
ARGUMENTS = {
    "classify_csv.py": ["train.csv", "test.csv", "bert-base-chinese"],
    "cross_validation.py": ["train.csv"],
    "packed_encoder.py": ["bert-base-chinese"],
    "pairs.py": ["pairs.csv", "bert-base-chinese"],
}
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_blocks_run(document: Path, workplace: Path):
    names: dict[str, Any] = {"__name__": "document"}
    for block in blocks(document):
        if block.not_run is None and block.language in RUN:
            run(block, names)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_says_what_it_is(document: Path):
    assert {block.language for block in blocks(document)} <= RUN | SHOWN


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(script: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(sys, "argv", [script.name, *ARGUMENTS[script.name]])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out
    assert len(script.read_text(encoding="utf-8").splitlines()) < 60


def run(block: Block, names: dict[str, Any]) -> None:
    if block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.text, block.place, "exec"), names)
    elif block.language == "yaml":
        run_yaml(block)
    else:
        for line in block.text.replace("\\\n", " ").splitlines():
            run_line(line, block)


def run_line(line: str, block: Block) -> None:
    """Run a `bertsmith` line; the comment behind it may say how it exits."""
    program, *arguments = shlex.split(line, comments=True)
    assert program == "bertsmith", f"{block.place}: {line!r} cannot be run; mark the block <!-- not run: why -->"
    expected = 2 if "# exits with 2" in line else 0
    assert main([*arguments, *TINY.get(arguments[0], [])]) == expected, f"{block.place}: {line}"


def run_yaml(block: Block) -> None:
    """A recipe; its first line names the file it is kept in, for the blocks that follow."""
    name = block.text.splitlines()[0].removeprefix("# ")
    Path(name).write_text(block.text, encoding="utf-8")
    readers = {"ladder": ladder_recipe, "tune": tune_recipe}
    kind = str(yaml.safe_load(block.text).get("kind", "finetune"))
    readers.get(kind, read_recipe)(given={}, file=Path(name))
