"""Rows of .jsonl: one JSON object a line."""

import json
from collections.abc import Iterator
from typing import Any

from bertsmith.data.decoding import TextLines
from bertsmith.data.record import OnError, refusal


def json_rows(lines: TextLines, on_error: OnError) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of every line; empty lines are skipped."""
    for line in lines:
        if not line.strip():
            continue
        row, problem = _parsed(line)
        if row is None:
            on_error(refusal(lines.place(), problem, "broken_json"))
        else:
            yield lines.number, row


def _parsed(line: str) -> tuple[dict[str, Any] | None, str]:
    try:
        row = json.loads(line)
        if "\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        found = line[error.pos : error.pos + 20].strip()
        return None, f"broken JSON at column {error.colno}: {error.msg} (found {found!r})"
    except UnicodeEncodeError:
        return None, "broken JSON: half of a surrogate pair (\\ud800-\\udfff) stands alone; no text can hold it"
    except RecursionError:
        return None, "broken JSON: nested too deeply"
    except ValueError as error:
        return None, f"broken JSON: {error}"
    if not isinstance(row, dict):
        return None, f'each line must be an object like {{"text": ..., "label": ...}}, found {_shown(row)}'
    return row, ""


def _shown(value: object) -> str:
    return f"{json.dumps(value, ensure_ascii=False):.60}"
