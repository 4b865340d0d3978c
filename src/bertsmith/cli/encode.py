"""`bertsmith encode`: a file of texts to a file of vectors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, columns_of, nested
from bertsmith.cli.output import print_json, to_stderr
from bertsmith.errors import UserError

if TYPE_CHECKING:
    from bertsmith.recipes import EncodeResult


def encode(
    *,
    model: str | None = None,
    input: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    output: Path,
    pooling: str | None = None,
    normalize: bool | None = None,
    whiten: Annotated[list[int] | None, Parameter(negative=(), consume_multiple=True)] = None,
    whiten_on: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)] = None,
    dim: int | None = None,
    prompt: str | None = None,
    max_length: int | None = None,
    columns: str | None = None,
    lines: Annotated[bool, Parameter(negative=())] = False,
    save: Path | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Write a vector for every text: float32 rows in the order of the input, as .npy.

    Example: bertsmith encode --model runs/sentences --input questions.csv --output vectors.npy --normalize

    Parameters
    ----------
    model
        A sentence encoder (ours or of sentence-transformers), or any encoder: a bundled name, a folder, a hub id.
    input
        Texts: .csv, .tsv, .jsonl or .parquet, or .txt with a text a line; `-` reads JSON lines from stdin.
    output
        The .npy file to write.
    pooling
        cls, pooler, last-avg, first-last-avg (P1 to P4), mean, max ...; else what the model says.
    normalize
        Vectors of length 1, or (--no-normalize) as they are; else what the model says.
    whiten
        Whiten the vectors; a number keeps so many dimensions. Fitted on the texts encoded.
    whiten_on
        Files of texts to fit the whitening on instead.
    dim
        Keep the first dimensions only (Matryoshka).
    prompt
        query, passage or another prompt of the model; or a text to write before each.
    max_length
        Tokens read of a text, special tokens and prompt included.
    columns
        Name of the column, as text=question.
    lines
        The input is plain text, a text a line.
    save
        Also write the encoder as it is now, whitening included, to this folder.
    """
    common = common or CommonOptions()
    given = nested(
        {
            "model": model,
            "pooling": pooling,
            "normalize": normalize,
            "whiten": chosen_whitening(whiten, whiten_on),
            "dim": dim,
            "prompt": prompt,
            "max_length": max_length,
            "columns": columns_of(columns),
            "lines": lines or None,
            "encoding": common.encoding,
            "device": None if common.device == "auto" else common.device,
        }
    )
    summary = run_encode(given, input, output, save=save, common=common)
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def run_encode(
    given: dict[str, Any], source: Path, out: Path, *, save: Path | None, common: CommonOptions
) -> dict[str, Any]:
    """Encode, and save the encoder if asked; returns the JSON object."""
    from bertsmith.files import require_new_folder
    from bertsmith.recipes import encode_file, encode_recipe, save_sentence_bundle

    recipe = encode_recipe(given=given, file=common.recipe, settings=common.settings)
    if save is not None:
        require_new_folder(save, option="--save")
    result = encode_file(recipe, source, out, say=to_stderr)
    saved = () if save is None else save_sentence_bundle(result.bundle, save)
    for note in saved:
        to_stderr(note)
    return {**summary_of(result, out), **({} if save is None else {"saved": str(save)})}


def summary_of(result: "EncodeResult", out: Path) -> dict[str, Any]:
    """The JSON object."""
    counts, task, cut = result.counts, result.bundle.task, result.counts.truncated
    return {
        "out": str(out),
        "rows": counts.texts,
        "dim": result.bundle.width,
        "truncated": {"texts": cut.texts, "tokens": cut.tokens},
        "seconds": round(result.seconds, 3),
        "tokens_per_second": round(counts.tokens / result.seconds, 1) if result.seconds else None,
        "tokens": counts.tokens,
        "pooling": task.pooling,
        "normalized": task.normalize,
        "whitening": task.whitening,
        "blank": counts.blank,
        "unknown": counts.unknown,
        "notes": list(result.notes),
    }


def chosen_whitening(dims: list[int] | None, on: list[Path] | None) -> dict[str, Any] | None:
    """What `--whiten [k]` and `--whiten-on` ask for.

    Raises:
        UserError: more than one number is given.
    """
    if dims is None and on is None:
        return None
    if len(dims or ()) > 1:
        raise UserError(f"--whiten takes one number of dimensions, got {dims}", code="bad_usage")
    return {"dims": dims[0] if dims else None, "on": [str(path) for path in on or ()]}


def print_summary(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    length = "length 1" if summary["normalized"] else "not normed"
    white = "" if summary["whitening"] is None else ", whitened"
    print(f"{summary['rows']:,} vectors of {summary['dim']} numbers ({summary['pooling']}, {length}{white})")
    cut = summary["truncated"]
    print(f"{cut['texts']:,} texts shortened, {cut['tokens']:,} tokens lost")
    print(f"{summary['seconds']:.1f} s, {summary['tokens_per_second'] or 0:,.0f} tokens/s; vectors: {summary['out']}")
