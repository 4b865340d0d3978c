"""Text from users inside Markdown, where it must stay text."""

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def inline(text: str) -> str:
    """Write text within a line, special characters escaped."""
    return _SPECIAL.sub(r"\\\1", _one_line(text))


def code(text: str) -> str:
    """Write a code span, with as many backticks as it takes."""
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{_one_line(text)}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Write a code block, with as many backticks as it takes."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
