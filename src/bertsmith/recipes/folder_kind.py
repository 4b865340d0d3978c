"""What a folder says of itself, told without loading what would be needed to use it."""

from pathlib import Path

from bertsmith.encoder.hub import resolve
from bertsmith.encoder.weights import read_json

MODULES = "modules.json"
"""Where sentence-transformers lists the modules of a model."""


def is_layout(folder: Path) -> bool:
    """Whether a folder says that it holds a sentence encoder."""
    return (folder / MODULES).is_file()


def is_sentence_encoder(source: str | Path) -> bool:
    """Whether a folder says of itself that it makes vectors of texts: ours, or sentence-transformers'.

    Raises:
        UserError: there is nothing of that name.
    """
    folder = resolve(str(source))
    return is_layout(folder) or is_ours(folder)


def is_ours(folder: Path) -> bool:
    """Whether bertsmith wrote a sentence encoder there."""
    block = read_json(folder / "config.json").get("bertsmith") if (folder / "config.json").is_file() else None
    return isinstance(block, dict) and "sentences" in block
