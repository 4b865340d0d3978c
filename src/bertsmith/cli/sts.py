"""`bertsmith sts`: how well cosines of sentence vectors follow people's scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.encode import chosen_whitening
from bertsmith.cli.options import CommonOptions, columns_of, nested
from bertsmith.cli.output import print_json, to_stderr

if TYPE_CHECKING:
    from bertsmith.recipes import StsResult, StsScore

Several = Parameter(negative=(), consume_multiple=True)
SHOWN_BESIDE = ("BERT", "RoBERTa", "SimBERT", "BERT-base", "unsup SimCSE BERT-base", "sup SimCSE BERT-base")
"""Published models shown on the terminal; --json has all cells."""


def sts(
    *,
    model: Annotated[list[str] | None, Several] = None,
    data: Annotated[list[Path] | None, Several] = None,
    pooling: Annotated[list[str] | None, Several] = None,
    whiten: Annotated[list[int] | None, Several] = None,
    whiten_on: Annotated[list[Path] | None, Several] = None,
    dim: int | None = None,
    prompt: str | None = None,
    prompt_pair: str | None = None,
    max_length: int | None = None,
    columns: str | None = None,
    report: Path | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Measure sentence vectors on scored pairs: Spearman and Pearson with 95 % intervals, published cells beside.

    Example: bertsmith sts --model bert-base-chinese --data STS-B/test.tsv LCQMC/test.tsv --pooling cls first-last-avg

    Parameters
    ----------
    model
        A sentence encoder or any encoder; several (seeds of one method) are averaged.
    data
        Scored pairs: columns text, text_pair, label (or sentence1, sentence2, score); parts in a column subset.
    pooling
        cls, pooler, last-avg, first-last-avg (P1 to P4), mean, max ...; several are measured in one pass.
    whiten
        Whiten the vectors; a number keeps so many dimensions. Fitted on the texts of each set.
    whiten_on
        Files of texts to fit the whitening on instead.
    dim
        Keep the first dimensions only (Matryoshka).
    prompt
        query, passage or another prompt of the model, or a text to write before each first text.
    prompt_pair
        The same for second texts.
    max_length
        Tokens read of a text, special tokens and prompt included.
    columns
        Names of the columns, as text=sentence1,text_pair=sentence2,label=score.
    report
        Also write an HTML page with tables and plots.
    """
    from bertsmith.recipes import evaluate_sts, sts_recipe

    common = common or CommonOptions()
    given = nested(
        {
            "models": model,
            "data": [str(path) for path in data] if data else None,
            "poolings": pooling,
            "whiten": chosen_whitening(whiten, whiten_on),
            "dim": dim,
            "prompt": prompt,
            "prompt_pair": prompt_pair if prompt_pair is not None else prompt,
            "max_length": max_length,
            "columns": columns_of(columns),
            "encoding": common.encoding,
            "device": None if common.device == "auto" else common.device,
            "seed": common.seed,
        }
    )
    recipe = sts_recipe(given=given, file=common.recipe, settings=common.settings)
    result = evaluate_sts(recipe, say=to_stderr)
    if report is not None:
        from bertsmith.report import write_sts

        write_sts(result, report)
        to_stderr(f"report: {report}")
    if common.json:
        print_json(summary_of(result))
    else:
        print_scores(result)


def summary_of(result: "StsResult") -> dict[str, Any]:
    """The JSON object."""
    several = len({score.model for score in result.scores}) > 1
    cut = result.counts.truncated
    return {
        "sets": [_row(score, several=several) for score in result.scores],
        "mean": result.mean,
        "means": [
            {
                "pooling": each.pooling,
                "whitening": each.whitening,
                "mean": each.mean,
                "std": each.std,
                "models": dict(zip(each.models, each.values, strict=True)),
            }
            for each in result.means()
        ],
        "truncated": {"texts": cut.texts, "tokens": cut.tokens},
        "notes": list(result.notes),
    }


def _row(score: "StsScore", *, several: bool) -> dict[str, Any]:
    cells = [
        {"model": cell.model, "method": cell.method, "spearman": cell.spearman / 100, "source": cell.source}
        for cell in score.published
    ]
    return {
        **({"model": score.model} if several else {}),
        "data": score.data.name,
        "pairs": len(score.data.scores),
        "pooling": score.pooling,
        "whitening": score.whitening,
        "transductive": score.transductive,
        "spearman": score.spearman,
        "pearson": score.pearson,
        "interval": list(score.interval),
        "partial": score.data.partial,
        "alignment": score.alignment,
        "uniformity": score.uniformity,
        "subsets": {name: {"pairs": pairs, "spearman": value} for name, (pairs, value) in score.subsets.items()},
        "set": score.data.known,
        "published": cells,
    }


def print_scores(result: "StsResult") -> None:
    """Print a table for people, × 100 as papers do."""
    several = len({score.model for score in result.scores}) > 1
    print("spearman  95 % interval   pearson   pairs  pooling")
    for score in result.scores:
        low, high = (100 * end for end in score.interval)
        white = "" if score.whitening is None else f", whitened to {score.whitening}"
        marks = (" (transductive)" if score.transductive else "") + (" (partial)" if score.data.partial else "")
        named = f"{score.model}: " if several else ""
        print(
            f"{100 * score.spearman:8.2f}  {low:5.2f} to {high:5.2f}  {100 * score.pearson:8.2f} "
            f"{len(score.data.scores):7,}  {score.pooling}{white}{marks}  {named}{score.data.name}"
        )
        if beside := _beside(score):
            print(f"          published for {score.data.known}: {beside}")
    for each in result.means():
        spread = "" if each.std is None else f" ± {100 * each.std:.2f} over {len(each.values)} models"
        sets = len({score.data.name for score in result.scores})
        white = "" if each.whitening is None else f", whitened to {each.whitening}"
        print(f"mean of {sets} set(s): {100 * each.mean:.2f}{spread}  {each.pooling}{white}")


def _beside(score: "StsScore") -> str:
    cells: dict[str, list[str]] = {}
    for cell in score.published:
        if cell.model in SHOWN_BESIDE:
            cells.setdefault(cell.model, []).append(f"{cell.spearman:.2f} {cell.method}")
    return "; ".join(f"{model} {', '.join(values)}" for model, values in cells.items())
