"""`bertsmith paraphrase`: similar texts, written and ranked."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, nested
from bertsmith.cli.output import print_json, to_stderr
from bertsmith.errors import UserError

if TYPE_CHECKING:
    import torch

    from bertsmith.data import Record
    from bertsmith.recipes import ParaphraseRecipe, Similar, WritingModel


def paraphrase(
    *texts: str,
    model: str | None = None,
    n: int | None = None,
    input: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    output: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    columns: str | None = None,
    threshold: float | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Write similar texts with a model that was trained to (SimBERT, UniLM), nearest first.

    Example: bertsmith paraphrase --model runs/simbert "怎么申请退款？" --n 5

    As SimBERT does: 100 texts are drawn, each token from the 5 likeliest; the text itself and repetitions are left
    out; the rest is ranked by the cosine of sentence vectors. --set decoding.kind=beam searches instead.

    Parameters
    ----------
    texts
        Texts to write about.
    model
        Folder of a model that writes.
    n
        Similar texts of each, at most (20).
    input
        Texts from a file instead: .csv, .tsv, .jsonl or .parquet; `-` reads JSON lines from stdin.
    output
        Where to write, format by name; `-` (default) is JSON lines on stdout. JSON lines hold a list `similar` in each
        row, other formats a row for each similar text, with `similar` and `score`.
    columns
        Names of the columns, as text=question.
    threshold
        Leave out what is less similar (a cosine).
    """
    from bertsmith.recipes import paraphrase_recipe

    common = common or CommonOptions()
    _require_one_source(texts, input, output)
    given = nested(
        {
            "model": model,
            "keep": n,
            "threshold": threshold,
            "seed": common.seed,
            "device": None if common.device == "auto" else common.device,
        }
    )
    recipe = paraphrase_recipe(given=given, file=common.recipe, settings=common.settings)
    written = Similars(recipe)
    if input is None:
        _print(written, texts, as_json=common.json)
        return
    rows = written.rows(input, columns, common.encoding or "utf-8")
    if common.json and output is None:
        print_json({"results": [_result(row) for row in rows], **written.summary()})
        return
    from bertsmith.data import write_rows
    from bertsmith.data.formats import kind_of

    target = output or Path("-")
    nests = kind_of(target).format == "jsonl"
    write_rows(target, (_plain(row) for row in rows) if nests else (one for row in rows for one in _flat(row)))
    if common.json:
        print_json({"out": str(target), **written.summary()})
    else:
        written.say()


class Similars:
    """A model that writes, and what it has written so far."""

    def __init__(self, recipe: "ParaphraseRecipe") -> None:
        from bertsmith.recipes import Counted, load_writing_model
        from bertsmith.training import resolve_device

        self._recipe = recipe
        self._device: torch.device = resolve_device(recipe.device)
        self._model: WritingModel = load_writing_model(recipe.model, form=recipe.form, pooling=recipe.pooling)
        self.counted: Counted = Counted()

    def of(self, texts: Sequence[str]) -> "list[tuple[Similar, ...]]":
        """The similar texts of each."""
        from bertsmith.recipes import paraphrased

        made = paraphrased(self._model, texts, self._recipe, device=self._device, counted=self.counted)
        return [similar for part in made for similar in part]

    def rows(self, source: Path, columns: str | None, encoding: str) -> "Iterator[tuple[Record, tuple[Similar, ...]]]":
        """The rows of a file with what is similar to each, some at a time."""
        from bertsmith.data import Columns, read_records
        from bertsmith.recipes import AT_ONCE

        chosen = Columns.parse(columns) if columns else Columns()
        records = read_records(source, chosen, labels="none", pairs="ignored", encoding=encoding)
        while chunk := list(islice(records, AT_ONCE)):
            yield from zip(chunk, self.of([record.text for record in chunk]), strict=True)

    def summary(self) -> dict[str, Any]:
        """What the JSON object says beside the results."""
        counted = self.counted
        return {
            "texts": counted.texts,
            "written": counted.written,
            "unfinished": counted.unfinished,
            "copies": counted.copies,
            "repeated": counted.repeated,
            "below_threshold": counted.below_threshold,
            "truncated": {"texts": counted.truncated_texts, "tokens": counted.truncated_tokens},
            "seed": self._recipe.seed,
            "notes": [*self._model.notes, *counted.notes(self._recipe)],
        }

    def say(self) -> None:
        """What a user should know, beside the output."""
        for note in self.summary()["notes"]:
            to_stderr(note)


def _print(written: Similars, texts: Sequence[str], *, as_json: bool) -> None:
    similar = written.of(texts)
    if as_json:
        results = [{"text": text, "similar": _listed(some)} for text, some in zip(texts, similar, strict=True)]
        print_json({"results": results, **written.summary()})
        return
    for text, some in zip(texts, similar, strict=True):
        print(text)
        for each in some:
            print(f"  {each.score:.4f}  {each.text}")
    written.say()


def _require_one_source(texts: Sequence[str], input: Path | None, output: Path | None) -> None:
    if bool(texts) == (input is not None):
        raise UserError('give texts ("…" "…"), or a file of them with --input, and not both', code="bad_usage")
    if output is not None and input is None:
        raise UserError(
            "--output goes with --input; texts on the command line are answered on stdout", code="bad_usage"
        )


def _listed(similar: "Sequence[Similar]") -> list[dict[str, Any]]:
    return [{"text": each.text, "score": each.score} for each in similar]


def _result(row: "tuple[Record, tuple[Similar, ...]]") -> dict[str, Any]:
    return {"text": row[0].text, "similar": _listed(row[1])}


def _plain(row: "tuple[Record, tuple[Similar, ...]]") -> dict[str, Any]:
    return {**row[0].row, "similar": _listed(row[1])}


def _flat(row: "tuple[Record, tuple[Similar, ...]]") -> Iterator[dict[str, Any]]:
    for each in row[1]:
        yield {**row[0].row, "similar": each.text, "score": each.score}
