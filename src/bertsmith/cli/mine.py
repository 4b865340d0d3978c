"""`bertsmith mine`: similar pairs and clusters of a corpus, hard negatives for training."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from bertsmith.cli.options import CommonOptions, nested
from bertsmith.cli.output import print_json, to_stderr

HELP = """Find similar pairs, clusters of near-duplicates, or hard negatives in an index.

Example: bertsmith mine pairs --index faq-index --top 50
"""
SHOWN = 60
"""Characters of a text shown to people."""

mine = App(name="mine", help=HELP)


@mine.command
def pairs(
    *,
    index: Path,
    top: int | None = None,
    threshold: float | None = None,
    distinct: Annotated[bool, Parameter(negative=())] = False,
    output: Path | None = None,
    common: CommonOptions | None = None,
) -> None:
    """The most similar pairs of the whole index, best first.

    Example: bertsmith mine pairs --index faq-index --top 50 --output pairs.tsv

    Parameters
    ----------
    index
        Folder that `bertsmith index` made.
    top
        Pairs, at most (10,000).
    threshold
        Least score of a pair (0).
    distinct
        Leave out pairs whose texts differ in case, width and spaces alone.
    output
        Write the pairs to this file (.tsv, .csv, .jsonl): score, ids, text and text_pair.
    """
    from bertsmith.data import write_rows
    from bertsmith.recipes import PairsRecipe, found_pairs, parse_recipe

    common = common or CommonOptions()
    given = nested(
        {"index": str(index), "pairs.most": top, "pairs.least": threshold, "pairs.distinct": distinct or None}
    )
    recipe = parse_recipe(PairsRecipe, given=given, file=common.recipe, settings=common.settings)
    found = list(found_pairs(recipe, say=to_stderr))
    if output is not None and found:
        write_rows(output, found)
    if common.json:
        print_json({"pairs": len(found), **({"out": str(output)} if output else {"results": found})})
        return
    for pair in found[: None if output is None else 10]:
        print(f"  {pair['score']:.4f}  {_cut(pair['text'])}  |  {_cut(pair['text_pair'])}")
    print(f"{len(found):,} pairs" + (f": {output}" if output and found else ""))


@mine.command
def clusters(
    *,
    index: Path,
    threshold: float | None = None,
    kind: Literal["communities", "connected"] | None = None,
    least: int | None = None,
    output: Path | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Groups of texts that say nearly the same, the largest first.

    Example: bertsmith mine clusters --index faq-index --threshold 0.9

    Parameters
    ----------
    index
        Folder that `bertsmith index` made.
    threshold
        Score from which on two texts are alike (0.9).
    kind
        communities: every member is like the centre, which comes first; connected: a chain of pairs is enough.
    least
        Texts a cluster has at least (2).
    output
        Write the members to this file: cluster, id and text. `contrast` reads it as groups of similar texts.
    """
    from bertsmith.data import write_rows
    from bertsmith.recipes import ClustersRecipe, found_clusters, parse_recipe

    common = common or CommonOptions()
    given = nested(
        {"index": str(index), "clusters.threshold": threshold, "clusters.kind": kind, "clusters.least": least}
    )
    recipe = parse_recipe(ClustersRecipe, given=given, file=common.recipe, settings=common.settings)
    found = found_clusters(recipe, say=to_stderr)
    if output is not None and found:
        write_rows(output, ({"group": place, **text} for place, group in enumerate(found) for text in group))
    texts = sum(map(len, found))
    if common.json:
        told: dict[str, Any] = {"out": str(output)} if output else {"results": found}
        print_json({"clusters": len(found), "texts": texts, **told})
        return
    for group in found[: None if output is None else 10]:
        print(f"{len(group):,} texts")
        for text in group[:5]:
            print(f"  [{text['id']}] {_cut(text['text'])}")
    print(f"{len(found):,} clusters of {texts:,} texts" + (f": {output}" if output and found else ""))


@mine.command
def negatives(
    *,
    index: Path,
    input: Path,
    output: Path,
    negatives: int | None = None,
    columns: str | None = None,
    positive: str | None = None,
    rerank: str | None = None,
    model: str | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Hard negatives for pairs that mean the same: triplets for `contrast --method simcse-supervised`.

    Example: bertsmith mine negatives --index faq-index --input pairs.csv --output triplets.tsv

    Known positives are never taken, nor what is nearly as like the query as they are (--set negatives.share).

    Parameters
    ----------
    index
        Folder that `bertsmith index` made, of the texts that negatives are taken from.
    input
        Pairs: text and text_pair; with a label, those labelled 1 (or as --positive says).
    output
        Triplets: anchor, positive, negative; .tsv, .csv or .jsonl, one row for each negative.
    negatives
        Negatives a pair (1).
    columns
        Names of the columns, as text=question,text_pair=answer.
    positive
        The label of pairs that mean the same (1).
    rerank
        Folder of a pair classifier: what it takes for a positive is no negative.
    model
        Where the model of the index is now, if not where it was.
    """
    from bertsmith.data import Columns
    from bertsmith.recipes import NegativesRecipe, parse_recipe, write_negatives

    common = common or CommonOptions()
    given = nested(
        {
            "index": str(index),
            "input": str(input),
            "encoding": common.encoding,
            "positive": positive,
            "negatives.negatives": negatives,
            "rerank.source": rerank,
            "model": model,
            "seed": common.seed,
            "device": common.device,
        }
    )
    if columns:
        given["columns"] = Columns.parse(columns).model_dump()
    recipe = parse_recipe(NegativesRecipe, given=given, file=common.recipe, settings=common.settings)
    done = write_negatives(recipe, output, say=to_stderr)
    told = {"pairs": done.pairs, "skipped": done.skipped, "triplets": done.written, "without_negative": done.without}
    if common.json:
        print_json({"out": str(output), **told})
        return
    print(f"{done.written:,} triplets from {done.pairs - done.skipped:,} pairs: {output}")
    if done.skipped:
        print(f"  {done.skipped:,} pairs are labelled otherwise than {recipe.positive!r} and were left out")
    if done.without:
        print(f"  for {done.without:,} pairs nothing was found that could be a negative")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
