"""`bertsmith pretrain`: from raw text to an encoder, from scratch or further."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from bertsmith.cli.finetune import stored_summary
from bertsmith.cli.options import CommonOptions, RunOptions, columns_of, nested, text_of
from bertsmith.cli.output import print_json
from bertsmith.cli.resuming import recipe_to_run

if TYPE_CHECKING:
    from bertsmith.recipes import PretrainRecipe


def pretrain(
    *,
    out: Path,
    objective: str | None = None,
    corpus: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)] = None,
    model: str | None = None,
    encoder: str | None = None,
    preset: Literal["within-task", "in-domain", "cross-domain"] | None = None,
    exclude: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)] = None,
    columns: str | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    max_length: int | None = None,
    lr: float | None = None,
    entities: Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)] = None,
    similar: Path | None = None,
    shards: Path | None = None,
    processes: int | None = None,
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Pre-train an encoder on raw text: from random weights (--encoder), or further (--model).

    Example: bertsmith pretrain --objective wwm --corpus news.txt.gz --encoder mini --steps 20000 --out runs/mini

    Parameters
    ----------
    out
        Folder for the encoder, metrics.json, report.html and the rest.
    objective
        bert, roberta, wwm, ernie, spanbert, macbert, electra, albert, unilm, permutation or gpt; with --model
        the one that fits it, unless you say.
    corpus
        Texts: .txt, one paragraph a line, a blank line between documents; or a task's own data files.
    model
        Checkpoint to go on from: a bundled name, a folder in the Hugging Face layout, or a hub id.
    encoder
        Start from random weights: tiny, mini, small, base, large, or a JSON file; trains a vocabulary too.
    preset
        Further pre-training with the values of Sun et al. 2019, for a corpus of the task itself, of its domain,
        or of other domains.
    exclude
        Dev and test files of the task: what stands in them is left out of the corpus, and counted.
    columns
        Names of the columns of data files, as text=sentence.
    steps
        Updates to make (1,000).
    epochs
        Passes over the corpus instead.
    batch_size
        Texts in one update (64).
    max_length
        Tokens of one text, special tokens included (128).
    lr
        Peak learning rate (5e-5; 5e-4 for encoders narrower than 384, such as tiny-zh; 1e-3 from random weights).
    entities
        Word lists of phrases and names, an entry a line, for the ernie objective.
    similar
        Similar words for the macbert objective: a word, a TAB, similar words.
    shards
        Where to keep the tokens of the corpus for other runs.
    processes
        Processes that prepare the corpus (1).
    """
    common, run = common or CommonOptions(), run or RunOptions()
    given = nested(
        {
            "start.model": model,
            "start.encoder": encoder,
            "corpus.paths": [str(path) for path in corpus] if corpus else None,
            "corpus.encoding": common.encoding,
            "corpus.columns": columns_of(columns),
            "corpus.exclude": [str(path) for path in exclude] if exclude else None,
            "texts.batch_size": batch_size,
            "texts.max_length": max_length,
            "optimizer.lr": lr,
            "entities": [str(path) for path in entities] if entities else None,
            "similar": text_of(similar),
            "shards": text_of(shards),
            "processes": processes,
            "seed": common.seed,
            "device": None if common.device == "auto" else common.device,
        }
    )
    if steps is not None or epochs is not None:
        given["budget"] = {"max_steps": steps, "epochs": epochs}
    summary = run_pretrain(given, objective, preset, out=out, run=run, common=common)
    if summary is not None and common.json:
        print_json(summary)
    elif summary is not None:
        print_summary(summary)


def run_pretrain(
    given: dict[str, Any],
    objective: str | None,
    preset: str | None,
    *,
    out: Path,
    run: RunOptions,
    common: CommonOptions,
) -> dict[str, Any] | None:
    """Run it and write everything to `out`; returns the JSON object, None on processes that only help."""
    from bertsmith.files import require_output_folder
    from bertsmith.recipes import LOG, is_complete, pretrain
    from bertsmith.report import write_pretrained
    from bertsmith.training import LogFile, is_leader, progress_listener

    recipe = chosen_recipe(given, objective, preset, out=out, run=run, common=common)
    if objective is None and is_leader():
        print(f"objective: {recipe.name}", file=sys.stderr)
    if is_leader():
        require_output_folder(out, overwrite=run.overwrite, resume=run.resume)
    if run.resume and is_complete(out):
        return stored_summary(out) if is_leader() else None
    result = pretrain(recipe, out=out, resume=run.resume, listeners=(progress_listener(), LogFile(out / LOG)))
    return write_pretrained(result, out, command=["bertsmith", *sys.argv[1:]]) if result.leads else None


def chosen_recipe(
    given: dict[str, Any],
    objective: str | None,
    preset: str | None,
    *,
    out: Path,
    run: RunOptions,
    common: CommonOptions,
) -> "PretrainRecipe":
    """The recipe the options stand for; with --resume alone, the one the run began with."""
    from bertsmith.recipes import pretrain_recipe, require_same_run

    options: dict[str, Any] = {"objective": objective, "settings": common.settings, "preset": preset}
    return recipe_to_run(
        lambda file: pretrain_recipe(given=given, file=file, **options),
        lambda file: pretrain_recipe(objective=None, given={}, file=file),
        out=out,
        run=run,
        common=common,
        same=require_same_run,
    )


def print_summary(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    loss = summary["loss"]
    heldout = "not measured" if loss["heldout"] is None else f"{loss['heldout']:.4f}"
    print(f"loss {loss['first']:.4f} at first, {loss['last']:.4f} at last; on held-out texts {heldout}")
    for name, value in summary["heldout"].items():
        print(f"  {name:20} {value:.4f}")
    print(f"{summary['steps']:,} steps, {summary['tokens']:,} tokens, {summary['tokens_per_second']:,.0f} tokens/s")
    print(f"encoder, metrics and report: {summary['out']}")
