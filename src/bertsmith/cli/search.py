"""`bertsmith search`: questions to the texts that answer them; figures where the right ones are known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, nested
from bertsmith.cli.output import print_json, to_stderr

if TYPE_CHECKING:
    from bertsmith.recipes import Asked, SearchRecipe
    from bertsmith.search import Hit

SHOWN = 100
"""Characters of a text shown to people."""


def search(
    *query: str,
    index: Path,
    input: Annotated[Path | None, Parameter(name=("--input", "--queries"), allow_leading_hyphen=True)] = None,
    top: int | None = None,
    hybrid: Annotated[bool, Parameter(negative=())] = False,
    rerank: str | None = None,
    where: Annotated[list[str] | None, Parameter(negative=(), consume_multiple=False)] = None,
    qrels: Path | None = None,
    model: str | None = None,
    columns: str | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Find the texts nearest in meaning to each query.

    Example: bertsmith search --index faq-index "how do I get my money back" --top 3

    Parameters
    ----------
    query
        What is asked; several are answered one by one.
    index
        Folder that `bertsmith index` made; the model is found through it.
    input
        Queries from a file: .txt, one a line; .csv, .tsv, .jsonl or .parquet; `-` reads JSON lines from stdin.
    top
        Texts a query (10).
    hybrid
        Join the neighbours of the vectors with BM25 on words; the index must have been made with --hybrid.
    rerank
        Folder of a fine-tuned pair classifier that reads the best 100 again; its probability becomes the score.
    where
        column=value; only texts whose column has this value are found; repeatable.
    qrels
        Measure instead: query_id, doc_id and relevance of the right answers; queries come from --queries.
    model
        Where the model of the index is now, if not where it was; another model is refused.
    columns
        Names of the columns of the queries, as text=question.
    """
    common = common or CommonOptions()
    recipe = chosen_recipe(index, top=top, hybrid=hybrid, rerank=rerank, where=where, model=model, common=common)
    queries = asked_queries(list(query), input, columns, common)
    if qrels is not None:
        from bertsmith.cli.search_measured import print_measured
        from bertsmith.recipes import measure_search

        measured = measure_search(recipe, queries, qrels, encoding=common.encoding or "utf-8", seed=common.seed or 0)
        if common.json:
            print_json(measured)
        else:
            print_measured(measured)
        return
    answer(recipe, queries, common)


def chosen_recipe(
    index: Path,
    *,
    top: int | None,
    hybrid: bool,
    rerank: str | None,
    where: list[str] | None,
    model: str | None,
    common: CommonOptions,
) -> "SearchRecipe":
    """The recipe the options stand for."""
    from bertsmith.errors import UserError
    from bertsmith.recipes import SearchRecipe, parse_recipe

    wrong = [part for part in where or [] if "=" not in part]
    if wrong:
        raise UserError(f"--where {wrong[0]!r}: write column=value", code="bad_usage")
    given = nested(
        {
            "index": str(index),
            "model": model,
            "search.top": top,
            "search.by": "hybrid" if hybrid else None,
            "rerank.source": rerank,
            "where": dict(part.split("=", 1) for part in where) if where else None,
            "device": common.device,
        }
    )
    return parse_recipe(SearchRecipe, given=given, file=common.recipe, settings=common.settings)


def asked_queries(told: list[str], source: Path | None, columns: str | None, common: CommonOptions) -> "list[Asked]":
    """The queries of the command line, or of a file.

    Raises:
        UserError: neither or both are given, or the file cannot be read.
    """
    from bertsmith.data import Columns
    from bertsmith.errors import UserError
    from bertsmith.recipes import Asked, read_queries

    if bool(told) == (source is not None):
        raise UserError(
            "give queries on the command line, or a file of them with --input: one of both", code="bad_usage"
        )
    if source is None:
        return [Asked(text, number) for number, text in enumerate(told)]
    chosen = Columns.parse(columns) if columns else Columns()
    return read_queries(source, chosen, id_column=None, encoding=common.encoding or "utf-8")


def answer(recipe: "SearchRecipe", queries: "list[Asked]", common: CommonOptions) -> None:
    """Answer all queries: as one object, or as lines for people."""
    from bertsmith.recipes import Searcher

    searcher = Searcher.open(recipe)
    for note in searcher.notes:
        to_stderr(note)
    found = zip(queries, searcher.search([query.text for query in queries]), strict=True)
    if common.json:
        print_json({"results": [{"query": query.text, "hits": list(map(shown, hits))} for query, hits in found]})
        return
    for query, hits in found:
        print(f"{query.text}")
        for hit in hits:
            text = " ".join(hit.text.split())
            print(f"  {hit.rank:3}. {hit.score:7.4f}  [{hit.id}] {text[:SHOWN]}{'…' if len(text) > SHOWN else ''}")
        if not hits:
            print("  nothing found")


def shown(hit: "Hit") -> dict[str, Any]:
    """A hit as JSON."""
    told: dict[str, Any] = {"rank": hit.rank, "score": hit.score, "text": hit.text, "id": hit.id}
    return {**told, "metadata": hit.metadata} if hit.metadata else told
