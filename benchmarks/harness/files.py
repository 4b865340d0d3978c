"""What is read by every system: JSON lines of texts, of tagged words. Standard library only."""

import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any


def rows(path: str) -> list[dict[str, Any]]:
    """All rows of a file."""
    with Path(path).open(encoding="utf-8") as file:  # not splitlines, which cuts texts at U+2028 and others
        return [json.loads(line) for line in file]


def texts(path: str) -> list[str]:
    """All texts of a file."""
    return [row["text"] for row in rows(path)]


def endless(path: str, count: int) -> Iterator[str]:
    """So many texts of a file, which begins anew where it ends."""
    return islice(cycle(texts(path)), count)
