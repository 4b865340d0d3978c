"""`bertsmith similar`: the similar words that the macbert objective needs, from one's own corpus."""

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, columns_of, nested
from bertsmith.cli.output import print_json, to_stderr

if TYPE_CHECKING:
    from bertsmith.recipes import LearnedWords, SimilarRecipe

SHOWN = 5
"""Words shown with their similar ones."""


def similar(
    *,
    out: Path,
    corpus: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)] = None,
    columns: str | None = None,
    top: int | None = None,
    min_count: int | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Learn similar words from raw text (word2vec): a line `word<TAB>similar1 similar2` for each word.

    Example: bertsmith similar --corpus news.txt.gz --out similar.tsv

    Needs `bertsmith[synonyms]`. One thread learns, so that the same corpus and seed give the same file.

    Parameters
    ----------
    out
        The file to write; `pretrain --objective macbert --similar` reads it.
    corpus
        Texts: .txt, one paragraph a line, a blank line between documents; or a task's own data files.
    columns
        Names of the columns of data files, as text=sentence.
    top
        Similar words a word, at most (10).
    min_count
        A rarer word is left out (5).
    """
    common = common or CommonOptions()
    recipe = chosen_recipe(corpus, columns, top=top, min_count=min_count, common=common)
    summary = run_similar(recipe, out)
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def chosen_recipe(
    corpus: list[Path] | None,
    columns: str | None,
    *,
    top: int | None,
    min_count: int | None,
    common: CommonOptions,
) -> "SimilarRecipe":
    """The recipe the options stand for."""
    from bertsmith.recipes import similar_recipe

    given = nested(
        {
            "corpus.paths": [str(path) for path in corpus] if corpus else None,
            "corpus.columns": columns_of(columns),
            "corpus.encoding": common.encoding,
            "neighbours.keep": top,
            "neighbours.least_count": min_count,
            "neighbours.seed": common.seed,
        }
    )
    return similar_recipe(given=given, file=common.recipe, settings=common.settings)


def run_similar(recipe: "SimilarRecipe", out: Path) -> dict[str, Any]:
    """Learn and write; that the file can be written is known before the long work begins."""
    from bertsmith.files import atomic_path
    from bertsmith.recipes import learn_similar

    with atomic_path(out) as temporary:
        learned = learn_similar(recipe, say=to_stderr)
        learned.similar.save(temporary)
    return {
        "out": str(out),
        "words": len(learned.similar),
        "paragraphs": learned.paragraphs,
        "characters": learned.characters,
        "examples": examples(learned),
        "seconds": round(learned.seconds, 3),
        "seed": recipe.neighbours.seed,
        "notes": list(learned.notes),
    }


def examples(learned: "LearnedWords") -> dict[str, list[str]]:
    """The most frequent words of two characters or more, without marks."""
    words = (word for word in learned.similar if len(word) > 1 and word.isalpha())
    return {word: list(learned.similar[word]) for word in islice(words, SHOWN)}


def print_summary(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    for word, nearest in summary["examples"].items():
        print(f"  {word}: {' '.join(nearest)}")
    print(f"{summary['words']:,} words with similar ones, from {summary['characters']:,} characters")
    print(f"list: {summary['out']}  ({summary['seconds']:.0f} s)")
    sys.stdout.flush()
