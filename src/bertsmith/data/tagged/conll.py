"""CoNLL files: a token and its tag on a line, an empty line between sentences (Tjong Kim Sang & De Meulder 2003)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.data.compression import compressing
from bertsmith.data.decoding import TextLines
from bertsmith.data.formats import bare_suffix, compression_of
from bertsmith.data.record import OnError, refusal
from bertsmith.files import atomic_path
from bertsmith.text.tags import is_tag

CONLL_SUFFIXES = (".conll", ".bio", ".iob", ".bioes", ".bmes", ".txt")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens, their tags (empty without), and where each stands (`train.conll:17`)."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    where: tuple[str, ...]


def is_conll(path: Path) -> bool:
    """Whether a file of this name is read and written as CoNLL."""
    return bare_suffix(path) in CONLL_SUFFIXES


def read_sentences(lines: TextLines, on_error: OnError, *, tagged: bool) -> Iterator[Sentence]:
    """Read sentences: the token stands in the first column, the tag in the last; columns are parted by TABs or spaces.

    Comments (`# ` without a tag at the end) and `-DOCSTART-` lines are passed over. A sentence with a
    line that cannot be read goes to `on_error` and is left out.
    """
    rows: list[tuple[int, list[str]]] = []
    for line in lines:
        if line.strip() and not line.startswith("-DOCSTART-"):
            fields = _fields(line)
            if not (line.startswith("# ") and not is_tag(fields[-1])):
                rows.append((lines.number, fields))
            continue
        yield from _sentence(rows, lines, on_error, tagged=tagged)
        rows = []
    yield from _sentence(rows, lines, on_error, tagged=tagged)


def write_conll(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write the `tokens` of rows with their `predicted_tags` as CoNLL; returns how many sentences.

    Raises:
        UserError: the file cannot be written, or a row does not fit.
    """
    number = 0
    with atomic_path(path) as temporary, compressing(temporary, compression_of(path)) as file:
        for row in rows:
            file.write(conll_lines(row, str(path)).encode())
            number += 1
    return number


def conll_lines(row: Mapping[str, Any], name: str) -> str:
    """The lines of one sentence, the empty one after it included.

    Raises:
        UserError: the text came without tokens, or a token holds a TAB or a line break.
    """
    if "tokens" not in row or "predicted_tags" not in row:
        raise refusal(
            name, "CoNLL is written of texts that came as CoNLL; write .jsonl, which holds spans", "no_tokens"
        )
    for token in row["tokens"]:
        if any(mark in token for mark in "\t\n\r"):
            raise refusal(
                name, f"the token {token!r} holds a TAB or a line break; write .jsonl instead", "unwritable_cell"
            )
    lines = [f"{token}\t{tag}" for token, tag in zip(row["tokens"], row["predicted_tags"], strict=True)]
    return "".join(f"{line}\n" for line in [*lines, ""])


def _fields(line: str) -> list[str]:
    bare = line.rstrip("\r\n")
    return bare.split("\t") if "\t" in bare else bare.split()


def _sentence(
    rows: list[tuple[int, list[str]]], lines: TextLines, on_error: OnError, *, tagged: bool
) -> Iterator[Sentence]:
    if not rows:
        return
    for number, fields in rows:
        what = _problem(fields, tagged=tagged)
        if what:
            on_error(refusal(lines.place(number), what, "bad_tag"))
            return
    where = tuple(lines.place(number) for number, _ in rows)
    tokens = tuple(fields[0] for _, fields in rows)
    yield Sentence(tokens, tuple(fields[-1].strip() for _, fields in rows) if tagged else (), where)


def _problem(fields: list[str], *, tagged: bool) -> str:
    if not fields[0].strip():
        return "the line begins with a blank column; a token stands first"
    if not tagged:
        return ""
    if len(fields) < 2:
        return f"the token {fields[0]!r} has no tag; write token TAB tag, and an empty line between sentences"
    if not is_tag(fields[-1].strip()):
        return f"{fields[-1]!r} is no tag: tags are O, or B, I, M, E, S, L, U with a type, as B-PER"
    return ""
