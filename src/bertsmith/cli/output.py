"""What the commands print: one JSON object on stdout, or text for people."""

import math
import os
import sys
from collections.abc import Mapping
from typing import Any

from bertsmith.errors import UserError
from bertsmith.files import json_line


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout, in one line; NaN becomes null."""
    print(json_line(without_nan(values), allow_nan=False), flush=True)


def to_stderr(text: str) -> None:
    """Say a line beside the output."""
    print(text, file=sys.stderr, flush=True)


def forget_stdout() -> None:
    """Send the rest of stdout nowhere: nobody can read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(error: UserError, *, as_json: bool) -> None:
    """Print one clear message on stderr; with `--json` also the error object on stdout."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "where": error.where}})
    print(f"error: {error.message}", file=sys.stderr, flush=True)


def print_interrupted(words: str, *, as_json: bool) -> None:
    """Say on stderr that a command was interrupted; with `--json` also as an error object on stdout."""
    if as_json:
        print_json({"error": {"code": "interrupted", "message": words, "where": None}})
    print(words, file=sys.stderr, flush=True)


def without_nan(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not know, by None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value
