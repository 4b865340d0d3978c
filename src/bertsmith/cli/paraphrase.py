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
    from bertsmith.data import Record
    from bertsmith.recipes import ParaphraseRecipe, Similar

    Row = tuple[Record, tuple[Similar, ...]]


def paraphrase(
    *texts: str,
    model: str | None = None,
    n: int | None = None,
    input: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    output: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    columns: str | None = None,
    threshold: float | None = None,
    judge: str | None = None,
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
    judge
        A pair classifier of your own: says of each text whether it means the same, beside one-character edits.
    """
    from bertsmith.recipes import paraphrase_recipe

    common = common or CommonOptions()
    _require_one_source(texts, input, output)
    given = nested(
        {
            "model": model,
            "keep": n,
            "threshold": threshold,
            "judge": judge,
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
        from bertsmith.recipes import Judge, Session, load_writing_model
        from bertsmith.training import resolve_device

        judge = None if recipe.judge is None else Judge.load(recipe.judge, label=recipe.judge_label)
        model = load_writing_model(recipe.model, form=recipe.form, pooling=recipe.pooling)
        self._session: Session = Session(model, recipe, resolve_device(recipe.device), judge)

    def of(self, texts: Sequence[str]) -> "list[tuple[Similar, ...]]":
        """The similar texts of each."""
        return [similar for part in self._session.write(texts) for similar in part]

    def rows(self, source: Path, columns: str | None, encoding: str) -> "Iterator[Row]":
        """The rows of a file with what is similar to each, some at a time."""
        from bertsmith.data import Columns, read_records
        from bertsmith.recipes import AT_ONCE

        chosen = Columns.parse(columns) if columns else Columns()
        records = read_records(source, chosen, labels="none", pairs="ignored", encoding=encoding)
        while chunk := list(islice(records, AT_ONCE)):
            yield from zip(chunk, self.of([record.text for record in chunk]), strict=True)

    def summary(self) -> dict[str, Any]:
        """What the JSON object says beside the results."""
        counted, recipe = self._session.counted, self._session.recipe
        return {
            "texts": counted.texts,
            "written": counted.written,
            "given": counted.given,
            "unfinished": counted.unfinished,
            "copies": counted.copies,
            "repeated": counted.repeated,
            "below_threshold": counted.below_threshold,
            "copy_rate": counted.copy_rate,
            "distinct_2": counted.distinct_2.share,
            **({"judged": counted.judged()} if self._session.judge is not None else {}),
            "truncated": {"texts": counted.truncated_texts, "tokens": counted.truncated_tokens},
            "seed": recipe.seed,
            "notes": [*self._session.model.notes, *counted.notes(recipe)],
        }

    def say(self) -> None:
        """What a user should know, beside the output."""
        told = self.summary()
        for note in told["notes"]:
            to_stderr(note)
        if "judged" in told:
            judged = told["judged"]
            to_stderr(
                f"the judge calls {judged['equivalent']:.1%} of {judged['pairs']:,} texts equivalent, "
                f"and {judged['one_edit']:.1%} of edits of one character"
            )


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
    return [{name: value for name, value in each._asdict().items() if value is not None} for each in similar]


def _result(row: "Row") -> dict[str, Any]:
    return {"text": row[0].text, "similar": _listed(row[1])}


def _plain(row: "Row") -> dict[str, Any]:
    return {**row[0].row, "similar": _listed(row[1])}


def _flat(row: "Row") -> Iterator[dict[str, Any]]:
    for each in row[1]:
        yield {**row[0].row, "similar": each.text, "score": each.score} | (
            {} if each.equivalent is None else {"equivalent": each.equivalent}
        )
