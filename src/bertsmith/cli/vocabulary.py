"""`bertsmith vocabulary`: a checkpoint cut down to a corpus, or grown by the words of a domain."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from bertsmith.cli.options import CommonOptions, columns_of, nested, text_of
from bertsmith.cli.output import print_json, to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertsmith.recipes import Resized

HELP = """Cut the vocabulary of a checkpoint down to a corpus, or add the words of a domain.

Example: bertsmith vocabulary prune --model bert-base-chinese --corpus news.txt --out small
"""
SHOWN = 10
"""New words shown."""
Files = Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)]

vocabulary = App(name="vocabulary", help=HELP)


@vocabulary.command
def prune(
    *,
    model: str,
    out: Path,
    corpus: Files = None,
    columns: str | None = None,
    min_count: int | None = None,
    size: int | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Leave out the tokens that a corpus does not have; texts of kept tokens give the same outputs, bit for bit.

    Example: bertsmith vocabulary prune --model bert-base-chinese --corpus news.txt --out small

    Parameters
    ----------
    model
        Checkpoint with a WordPiece vocabulary: a bundled name, a folder in the Hugging Face layout, or a hub id.
    out
        New folder for the smaller checkpoint, in the Hugging Face layout.
    corpus
        Texts: .txt, one paragraph a line; or a task's own data files.
    columns
        Names of the columns of data files, as text=sentence.
    min_count
        Keep the tokens that occur at least so often (1).
    size
        Keep no more than the most frequent ones, special tokens included.
    """
    from bertsmith.recipes import Pruning
    from bertsmith.recipes import prune as pruned

    common = common or CommonOptions()
    given = nested(
        {
            "model": model,
            "corpus.paths": [str(path) for path in corpus] if corpus else None,
            "corpus.columns": columns_of(columns),
            "corpus.encoding": common.encoding,
            "least_count": min_count,
            "size": size,
        }
    )
    run(Pruning, given, pruned, out=out, common=common)


@vocabulary.command
def extend(
    *,
    model: str,
    out: Path,
    words: Path | None = None,
    corpus: Files = None,
    columns: str | None = None,
    size: int | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Add words; the row of each is the mean of the rows of its pieces, all others stay as they are.

    Example: bertsmith vocabulary extend --model bert-base-chinese --corpus news.txt --size 500 --out larger

    Parameters
    ----------
    model
        Checkpoint with a WordPiece vocabulary: a bundled name, a folder in the Hugging Face layout, or a hub id.
    out
        New folder for the larger checkpoint, in the Hugging Face layout.
    words
        The words, one a line.
    corpus
        Take the most frequent words of these texts instead.
    columns
        Names of the columns of data files, as text=sentence.
    size
        How many of them, at most (1,000).
    """
    from bertsmith.recipes import Extension
    from bertsmith.recipes import extend as extended

    common = common or CommonOptions()
    given = nested(
        {
            "model": model,
            "words": text_of(words),
            "corpus.paths": [str(path) for path in corpus] if corpus else None,
            "corpus.columns": columns_of(columns) if corpus else None,
            "corpus.encoding": common.encoding if corpus else None,
            "size": size,
        }
    )
    run(Extension, given, extended, out=out, common=common)


def run(
    kind: Any, given: dict[str, Any], change: "Callable[..., Resized]", *, out: Path, common: CommonOptions
) -> None:
    """Change the checkpoint, write it, and say what became of it."""
    from bertsmith.files import require_new_folder
    from bertsmith.recipes import vocabulary_recipe

    began = time.perf_counter()
    recipe = vocabulary_recipe(kind, given=given, file=common.recipe, settings=common.settings)
    require_new_folder(out, option="--out")
    resized = change(recipe, say=to_stderr)
    remarks = resized.save(out)
    summary = {"out": str(out), **resized.summary(), "seconds": round(time.perf_counter() - began, 3)}
    summary["notes"] += remarks
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def print_summary(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    rows, size, found = summary["rows"], summary["bytes"], summary["corpus"]
    print("\n".join(summary["notes"]), end="\n" if summary["notes"] else "")
    if summary["added"]:
        more = f" and {len(summary['added']) - SHOWN:,} more" if len(summary["added"]) > SHOWN else ""
        print(f"new: {' '.join(summary['added'][:SHOWN])}{more}")
    print(f"rows: {rows['before']:,} before, {rows['after']:,} now")
    print(f"bytes: {size['before']:,} before, {size['after']:,} now, {size['saved']:,} saved")
    if found is not None:
        before, after = found["tokens"].values()
        print(f"the corpus: {before:,} tokens before, {after:,} now; {found['became_unknown']:.3%} became unknown")
    print(f"checkpoint: {summary['out']}")
