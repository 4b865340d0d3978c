"""`bertsmith predict`: a trained model's answers beside the user's own columns."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.allocator import give_back_freed_memory
from bertsmith.cli.options import CommonOptions
from bertsmith.cli.output import print_json
from bertsmith.cli.similarity import Similarities
from bertsmith.errors import UserError

if TYPE_CHECKING:
    from bertsmith.data import Record
    from bertsmith.finetuning import Aim, Truncated
    from bertsmith.recipes import Answering

CHUNK = 2048
"""Texts read, answered and written at a time: memory stays flat, the first answers come early."""


def predict(
    *,
    model: str,
    input: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    output: Annotated[Path, Parameter(allow_leading_hyphen=True)] = Path("-"),
    task: str | None = None,
    columns: str | None = None,
    probabilities: Annotated[bool, Parameter(negative=())] = False,
    prompt: str | None = None,
    prompt_pair: str | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Add `prediction` and `confidence` to every row, in the order and with the columns of the input.

    A sentence encoder adds `similarity`, of `text` and `text_pair`.

    Example: bertsmith predict --model runs/first --input new.csv --output answers.csv

    Parameters
    ----------
    model
        Folder of a fine-tuned model, or of an ensemble.
    input
        Texts: .csv, .tsv, .jsonl or .parquet, for tagging also .conll; `-` reads JSON lines from stdin.
    output
        Where to write, format by name; `-` (default) writes JSON lines to stdout, of a CoNLL file CoNLL.
    task
        Of a model of several tasks, the one to answer; without it all are answered, as `prediction_NAME` and so on.
    columns
        Names of the columns, as text=sentence1,text_pair=sentence2.
    probabilities
        Also add the probability of every label.
    prompt
        Sentence encoders: query, passage or another prompt of the model, or a text to write before each text.
    prompt_pair
        The same for second texts.
    """
    from bertsmith.recipes import is_sentence_encoder

    options = common or CommonOptions()
    answers: Answers | Similarities
    if is_sentence_encoder(model):
        require_unasked(probabilities=probabilities, task=task)
        answers = Similarities(model, input, columns=columns, prompts=(prompt, prompt_pair), options=options)
    else:
        require_unasked(prompt=prompt, prompt_pair=prompt_pair)
        answers = Answers(model, input, task=task, columns=columns, probabilities=probabilities, options=options)
    if options.json and output == Path("-"):
        print_json({"predictions": list(answers.rows()), **answers.counts()})
        return
    answers.write(output)
    if options.json:
        print_json({"out": str(output), **answers.counts()})
    else:
        print(f"{answers.number:,} rows answered, {answers.truncated.texts:,} shortened", file=sys.stderr)


def require_unasked(**options: object) -> None:
    """Make sure that no option is given that this kind of model does not have.

    Raises:
        UserError: one is.
    """
    for name, value in options.items():
        if value:
            kind = "a fine-tuned model" if name.startswith("prompt") else "a sentence encoder"
            raise UserError(f"--{name.replace('_', '-')} means nothing to {kind}; leave it out", code="bad_usage")


class Answers:
    """The rows of a file with their answers, drawn one by one; counts what was seen."""

    def __init__(
        self,
        model: str,
        source: Path,
        *,
        task: str | None,
        columns: str | None,
        probabilities: bool,
        options: CommonOptions,
    ) -> None:
        from bertsmith.data import Columns
        from bertsmith.finetuning import Truncated
        from bertsmith.recipes import load_model, load_tasks, tasks_of
        from bertsmith.training import resolve_device

        self._device = resolve_device(options.device)
        self._source = source
        self._bundles: dict[str, Answering]
        if task is None and tasks_of(model):
            self._bundles = {f"_{name}": bundle for name, bundle in load_tasks(model).items()}
        else:
            self._bundles = {"": load_model(model, task=task)}
        self._probabilities = probabilities
        self._records = reader_of_all(list(self._bundles.values()), model).read(
            source,
            Columns.parse(columns) if columns else Columns(),
            encoding=options.encoding or "utf-8",
            labelled=False,
        )
        self.number = 0
        self._cut = dict.fromkeys(self._bundles, Truncated())

    @property
    def truncated(self) -> "Truncated":
        """What shortening cost, all tasks together."""
        first, *others = self._cut.values()
        return sum(others, first)

    def write(self, target: Path) -> None:
        """Write all rows, in the format the name says."""
        from bertsmith.data import conll_lines, is_conll, write_conll, write_rows

        if is_conll(target):
            write_conll(target, self.rows())
        elif target == Path("-") and is_conll(self._source):
            for row in self.rows():
                print(conll_lines(row, "-"), end="", flush=True)
        else:
            write_rows(target, self.rows())

    def counts(self) -> dict[str, Any]:
        """How many rows were answered, and what shortening cost."""
        cut = self.truncated
        told: dict[str, Any] = {"texts": cut.texts, "tokens": cut.tokens}
        if "" not in self._cut:
            told["tasks"] = {
                ending[1:]: {"texts": own.texts, "tokens": own.tokens} for ending, own in self._cut.items()
            }
        return {"rows": self.number, "truncated": told}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Answer chunk by chunk."""
        while chunk := list(islice(self._records, CHUNK)):
            self.number += len(chunk)
            told: list[dict[str, Any]] = [dict(record.row) for record in chunk]
            for ending in self._bundles:
                for row, answer in zip(told, self._answers(ending, chunk), strict=True):
                    row |= {f"{name}{ending}": value for name, value in answer.items()}
            yield from told
            if len(chunk) == CHUNK:
                give_back_freed_memory()

    def _answers(self, ending: str, chunk: "list[Record]") -> Iterator[dict[str, Any]]:
        bundle = self._bundles[ending]
        prepared = bundle.prepare(chunk)
        self._cut[ending] += prepared.truncated
        said = bundle.outputs(prepared, device=self._device).split()
        for record, outputs in zip(chunk, said, strict=True):
            yield bundle.answers.row(record, outputs, probabilities=self._probabilities)


def reader_of_all(bundles: "list[Answering]", model: str) -> "Aim":
    """What reads a file so that every task can answer it: a tagger knows one format more than the others.

    Raises:
        UserError: some tasks read one text, others two.
    """
    if len({bundle.answers.pairs for bundle in bundles}) > 1:
        raise UserError(
            f"{model} holds tasks that read one text and tasks that read two; name the one to answer with --task",
            code="several_tasks",
            where=model,
        )
    return next((bundle.answers for bundle in bundles if bundle.answers.per_token), bundles[0].answers)
