"""What a sentence encoder says of rows with two texts: how similar they are."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bertsmith.cli.options import CommonOptions
from bertsmith.cli.output import to_stderr

CHUNK = 2048
"""Rows read, compared and written at a time."""


class Similarities:
    """The rows of a file with `similarity` of `text` and `text_pair`, drawn one by one; counts what was seen."""

    def __init__(
        self,
        model: str,
        source: Path,
        *,
        columns: str | None,
        prompts: tuple[str | None, str | None],
        options: CommonOptions,
    ) -> None:
        from bertsmith.data import Columns, read_records
        from bertsmith.recipes import load_sentence_bundle
        from bertsmith.sentences import TextCounts
        from bertsmith.training import resolve_device

        self._device = resolve_device(options.device)
        self._bundle = load_sentence_bundle(model)
        for note in self._bundle.notes:
            to_stderr(note)
        chosen = Columns.parse(columns) if columns else Columns()
        encoding = options.encoding or "utf-8"
        self._records = read_records(source, chosen, labels="none", pairs="required", encoding=encoding)
        self._prompts = prompts
        self._read = TextCounts()
        self.number = 0

    @property
    def truncated(self) -> Any:
        """What shortening cost, both texts of a row counted by themselves."""
        return self._read.truncated

    def write(self, target: Path) -> None:
        """Write all rows, in the format the name says."""
        from bertsmith.data import write_rows

        write_rows(target, self.rows())

    def counts(self) -> dict[str, Any]:
        """How many rows were compared, and what shortening cost."""
        return {"rows": self.number, "truncated": {"texts": self.truncated.texts, "tokens": self.truncated.tokens}}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Compare chunk by chunk."""
        while chunk := list(islice(self._records, CHUNK)):
            sides = []
            for texts, prompt in zip(
                ([record.text for record in chunk], [record.text_pair or "" for record in chunk]),
                self._prompts,
                strict=True,
            ):
                encoded = self._bundle.encode(texts, device=self._device, prompt=prompt)
                self._read += encoded.counts
                sides.append(encoded.vectors)
            self.number += len(chunk)
            for record, value in zip(chunk, self._bundle.compare(*sides).tolist(), strict=True):
                yield {**record.row, "similarity": round(value, 6)}
