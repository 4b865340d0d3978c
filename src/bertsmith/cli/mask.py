"""`bertsmith mask`: what an objective makes of a text, before any training."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, nested, text_of
from bertsmith.cli.output import print_json
from bertsmith.errors import UserError

if TYPE_CHECKING:
    from rich.text import Text

    from bertsmith.pretraining.showing import Shown
    from bertsmith.recipes import PretrainRecipe

STYLES = {
    "mask": "bold black on yellow",
    "random": "bold white on red",
    "same": "bold white on blue",
    "similar": "bold white on magenta",
    "degraded": "bold red underline",
    "query": "bold black on cyan",
}
MOST_ROWS = 48
"""Longer texts show who sees whom only in the page."""
NO_TEXT = "give at least one text, in quotes"
NO_MODEL = "give --model: its vocabulary decides what the tokens are; a folder with tokenizer files suffices"


def mask(
    *texts: str,
    objective: str | None = None,
    model: str | None = None,
    variant: str | None = None,
    entities: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=False)] = None,
    similar: Path | None = None,
    html: Path | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Show what an objective makes of texts: what is hidden and by what, what is asked, who sees whom.

    Example: bertsmith mask --objective wwm --model bert-base-chinese "我在Beijing吃了PyTorch火锅，2026年真的还行！"

    Parameters
    ----------
    texts
        Texts; a line break begins another paragraph. Several texts may be paired with each other.
    objective
        bert, roberta, wwm, ernie, spanbert, macbert, electra, albert, unilm, permutation or gpt.
    model
        Whose vocabulary to use: a bundled name, a folder in the Hugging Face layout, or a hub id.
    variant
        Only this stage (ernie) or this share of the texts (unilm); all of them otherwise.
    entities
        Word lists of phrases and names, an entry a line, for the ernie objective.
    similar
        Similar words for the macbert objective: a word, a TAB, similar words.
    html
        Also write a page.
    """
    options = common or CommonOptions()
    recipe = chosen_recipe(objective, model, entities=entities, similar=similar, options=options)
    if not texts:
        raise UserError(NO_TEXT, code="bad_usage")
    shown = show(texts, recipe, variant)
    if html is not None:
        write_page(html, texts, recipe, shown)
    if options.json:
        told = [text_json(text, recipe, each) for text, each in zip(texts, shown, strict=True)]
        print_json(told[0] if len(told) == 1 else {"objective": recipe.name, "texts": told})
    else:
        print_shown(recipe, texts, shown)


def chosen_recipe(
    objective: str | None,
    model: str | None,
    *,
    entities: list[Path] | None,
    similar: Path | None,
    options: CommonOptions,
) -> "PretrainRecipe":
    """The recipe of the run that would corrupt texts in this way; its corpus is never read."""
    from bertsmith.recipes import pretrain_recipe

    if model is None and options.recipe is None:
        raise UserError(NO_MODEL, code="bad_usage")
    given = nested(
        {
            "start.model": model,
            "corpus.paths": ["-"],
            "entities": [str(path) for path in entities] if entities else None,
            "similar": text_of(similar),
            "seed": options.seed,
        }
    )
    recipe = pretrain_recipe(objective=objective, given=given, file=options.recipe, settings=options.settings)
    if recipe.start.model is None:
        raise UserError(NO_MODEL, code="bad_usage")
    return recipe


def show(texts: tuple[str, ...], recipe: "PretrainRecipe", variant: str | None) -> list[list["Shown"]]:
    """Every text under every variant, or the one that is named."""
    from bertsmith.data.shards import Annotator
    from bertsmith.encoder.hub import resolve
    from bertsmith.pretraining.showing import Showing
    from bertsmith.text import Tokenizer

    assert recipe.start.model is not None
    tokenizer = Tokenizer.from_folder(resolve(recipe.start.model))
    annotator, similar = Annotator(tokenizer, recipe.words, recipe.lexicon()), recipe.similar_tokens(tokenizer)
    showing = Showing(recipe.objective, annotator, similar, recipe.seed)
    return showing.show(texts, variant)


def text_json(text: str, recipe: "PretrainRecipe", shown: list["Shown"]) -> dict[str, Any]:
    """One text: the first variant, and all of them under `variants` where there are several."""
    variants = [each.to_json() for each in shown]
    more = {"variants": variants} if len(variants) > 1 else {}
    return {"text": text, "objective": recipe.name, "seed": recipe.seed, **variants[0], **more}


def write_page(path: Path, texts: tuple[str, ...], recipe: "PretrainRecipe", shown: list[list["Shown"]]) -> None:
    """Write the HTML page."""
    from bertsmith.files import write_text
    from bertsmith.pretraining.describing import in_words
    from bertsmith.report.masking import mask_page

    write_text(path, mask_page(recipe.name, in_words(recipe.objective), texts, shown))
    print(f"page: {path}", file=sys.stderr)


def print_shown(recipe: "PretrainRecipe", texts: tuple[str, ...], shown: list[list["Shown"]]) -> None:
    """Print for people; in a terminal the hidden tokens are coloured."""
    from rich.console import Console
    from rich.text import Text

    from bertsmith.pretraining.describing import in_words

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(Text(recipe.name, style="bold"))
    for name, value in in_words(recipe.objective).items():
        console.print(Text(f"  {name}: {value}", style="dim"))
    for text, variants in zip(texts, shown, strict=True):
        console.print(f"\n{text}")
        for each in variants:
            for line in lines_of(each):
                console.print(line)


def lines_of(shown: "Shown") -> list["Text"]:
    """One text under one variant, as lines for a terminal."""
    from rich.text import Text

    borders = [f"{span.start} to {span.end - 1} from {span.borders}" for span in shown.spans if span.borders]
    told = {
        "asked": target_words(shown),
        "spans": ", ".join(borders),
        "pair": shown.relation,
        "order": " ".join(map(str, shown.order)),
    }
    lines = [Text(f"  {shown.variant}", style="bold")] if shown.variant else []
    lines += [Text(f"  tokens   {' '.join(shown.tokens)}"), input_line(shown)]
    lines += [Text(f"  {name:8} {value}") for name, value in told.items() if value]
    if shown.sees is not None and len(shown.sees) <= MOST_ROWS:
        lines.append(Text("  who sees whom, a row for each token:"))
        lines += [Text("  " + "".join("█" if seen else "·" for seen in row)) for row in shown.sees]
    return [*lines, *(Text(f"  note: {note}") for note in shown.notes)]


def input_line(shown: "Shown") -> "Text":
    """What the encoder reads, coloured by what became of a token."""
    from rich.text import Text

    styles = {target.asked_at: STYLES[target.kind] for target in shown.targets if target.kind in STYLES}
    line = Text("  input    ")
    for place, name in enumerate(shown.input):
        line.append(name, style=styles.get(place, "")).append(" ")
    return line


def target_words(shown: "Shown") -> str:
    """The targets in a line; where every token is one, that says it."""
    if any(target.kind == "next" for target in shown.targets):
        return f"{len(shown.targets)} tokens, each from the ones it sees"
    return ", ".join(f"{target.position} {target.token} ({target.kind})" for target in shown.targets)
