"""`bertsmith predict`: a trained model's answers beside the user's own columns."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions
from bertsmith.cli.output import print_json
from bertsmith.cli.similarity import Similarities
from bertsmith.errors import UserError

CHUNK = 2048
"""Texts read, answered and written at a time: memory stays flat, the first answers come early."""


def predict(
    *,
    model: str,
    input: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    output: Annotated[Path, Parameter(allow_leading_hyphen=True)] = Path("-"),
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
        require_unasked(probabilities=probabilities)
        answers = Similarities(model, input, columns=columns, prompts=(prompt, prompt_pair), options=options)
    else:
        require_unasked(prompt=prompt, prompt_pair=prompt_pair)
        answers = Answers(model, input, columns=columns, probabilities=probabilities, options=options)
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
            kind = "a sentence encoder" if name == "probabilities" else "a fine-tuned model"
            raise UserError(f"--{name.replace('_', '-')} means nothing to {kind}; leave it out", code="bad_usage")


class Answers:
    """The rows of a file with their answers, drawn one by one; counts what was seen."""

    def __init__(
        self, model: str, source: Path, *, columns: str | None, probabilities: bool, options: CommonOptions
    ) -> None:
        from bertsmith.data import Columns
        from bertsmith.finetuning import Truncated
        from bertsmith.recipes import load_model
        from bertsmith.training import resolve_device

        self._device = resolve_device(options.device)
        self._source = source
        self._bundle = load_model(model)
        self._probabilities = probabilities
        self._records = self._bundle.answers.read(
            source,
            Columns.parse(columns) if columns else Columns(),
            encoding=options.encoding or "utf-8",
            labelled=False,
        )
        self.number = 0
        self.truncated = Truncated()

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
        return {"rows": self.number, "truncated": {"texts": cut.texts, "tokens": cut.tokens}}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Answer chunk by chunk."""
        while chunk := list(islice(self._records, CHUNK)):
            prepared = self._bundle.prepare(chunk)
            self.truncated += prepared.truncated
            self.number += len(chunk)
            said = self._bundle.outputs(prepared, device=self._device).split()
            for record, outputs in zip(chunk, said, strict=True):
                answer = self._bundle.answers.row(record, outputs, probabilities=self._probabilities)
                yield {**record.row, **answer}
