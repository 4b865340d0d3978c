"""The second half of the demo: questions answered by their meaning, and new wordings of one."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.cli.contrast import chosen_recipe, run_contrast
from bertsmith.cli.options import CommonOptions, RunOptions

if TYPE_CHECKING:
    from bertsmith.data import Record

PREFIX = "vectors."
"""`--set vectors.FIELD=value` reaches the recipe of the sentence encoder."""
METHOD = "simbert"
RECIPE: dict[str, Any] = {
    "start": {"model": "tiny-zh"},
    "optimizer": {"lr": 3e-4},
    "budget": {"epochs": 30},
    "selection": {"every": 40, "keep": "best"},
    "threads": 1,
}
"""More and faster than SimBERT's own course, which has millions of groups; here there are some two hundred."""
WORDINGS = 3


def split_settings(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of the classifier, and those of the sentence encoder."""
    ours = [setting.removeprefix(PREFIX) for setting in settings if setting.startswith(PREFIX)]
    return [setting for setting in settings if not setting.startswith(PREFIX)], ours


def train_vectors(
    files: dict[str, Path], out: Path, *, run: RunOptions, options: CommonOptions
) -> dict[str, Any] | None:
    """SimBERT on groups of wordings: one model that finds similar questions and writes them."""
    given = RECIPE | {"data": {name: str(path) for name, path in files.items()}, "seed": options.seed or 0}
    common = replace(options, settings=split_settings(options.settings)[1], recipe=None)
    recipe = chosen_recipe(given, METHOD, out=out, columns=None, run=run, common=common)
    return run_contrast(recipe, out=out, run=run)


def answer(model: Path, known: Sequence["Record"], language: str, questions: Sequence[str]) -> list[dict[str, Any]]:
    """The answer that belongs to the nearest known question."""
    from bertsmith.estimators import SentenceEncoder

    encoder = SentenceEncoder(model)
    similar = encoder.similarity(list(questions), [record.text for record in known])
    answers = _answers(language)
    found = [(text, known[row.argmax()], float(row.max())) for text, row in zip(questions, similar, strict=True)]
    return [
        {
            "question": text,
            "nearest": nearest.text,
            "similarity": round(score, 4),
            "answer": answers[str(nearest.row["group"])],
        }
        for text, nearest, score in found
    ]


def reword(model: Path, question: str, *, seed: int) -> list[dict[str, Any]]:
    """A few new wordings of a question, nearest first."""
    from bertsmith.estimators import Paraphraser

    written = Paraphraser(model, seed=seed).generate([question], n=WORDINGS)[0]
    return [{"text": one.text, "score": round(one.score, 4)} for one in written]


def _answers(language: str) -> dict[str, str]:
    source = Path(__file__).parent.parent / "assets" / "demo" / f"{language}_answers.csv"
    with source.open(encoding="utf-8", newline="") as file:
        return {row["group"]: row["answer"] for row in csv.DictReader(file)}
