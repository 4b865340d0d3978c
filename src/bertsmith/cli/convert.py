"""`bertsmith convert`: an original TensorFlow checkpoint as a folder that every command reads."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, nested, text_of
from bertsmith.cli.output import print_json


def convert(
    *,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    out: Path,
    config: Path | None = None,
    part: Literal["discriminator", "generator"] | None = None,
    trained_as: Literal["simbert", "unilm"] | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Turn an original TensorFlow checkpoint into the Hugging Face layout, without TensorFlow.

    Example: bertsmith convert --from chinese_simbert_L-4_H-312_A-12 --out simbert-tiny --trained-as simbert

    BERT, ALBERT, ELECTRA, SimBERT, RoFormer and WoBERT. Heads (token prediction, next sentence, pooler) are kept,
    the state of the optimizer is left out. Every number is compared with its checksum, and again after writing.

    Parameters
    ----------
    source
        Folder of the checkpoint, or the beginning of PREFIX.index.
    out
        New folder for the encoder with its heads and vocabulary.
    config
        Its bert_config.json, if it does not lie beside the checkpoint.
    part
        Which of ELECTRA's two encoders (discriminator).
    trained_as
        Say that the weights were trained to generate, as no file does: simbert (also RoFormer-Sim) or unilm.
    """
    from bertsmith.files import require_new_folder
    from bertsmith.recipes import conversion_recipe
    from bertsmith.recipes import convert as converted

    common = common or CommonOptions()
    given = nested(
        {"source": text_of(source), "config": text_of(config), "part": part, "trained_as": trained_as},
    )
    recipe = conversion_recipe(given=given, file=common.recipe, settings=common.settings)
    require_new_folder(out, option="--out")
    summary = {"out": str(out), **converted(recipe, out).summary()}
    if common.json:
        print_json(summary)
    else:
        print_summary(summary)


def print_summary(summary: dict[str, Any]) -> None:
    """Print the outcome for people."""
    for note in summary["notes"]:
        print(note)
    heads = ", ".join(summary["heads"]) or "none"
    print(
        f"{summary['family']}: {summary['parameters']:,} parameters in {summary['tensors']:,} tensors; heads: {heads}"
    )
    left = {"of the optimizer": summary["optimizer"], "of the other encoder": summary["other_part"]}
    said = ", ".join(f"{number:,} {what}" for what, number in left.items() if number)
    if said:
        print(f"left out: {said}")
    if summary["unexpected"]:
        print(f"kept under their own names: {', '.join(summary['unexpected'])}")
    print(f"checked: largest difference after writing {summary['parity']['largest_difference']:g}")
    print(f"checkpoint: {summary['out']}")
