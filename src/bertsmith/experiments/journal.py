"""`trials.jsonl`: a line for every trial that came to an end, so that a search can be gone on with."""

import json
from collections.abc import Iterator
from pathlib import Path

from bertsmith.config import parse_config
from bertsmith.errors import UserError
from bertsmith.experiments.trial import Outcome
from bertsmith.files import json_line, write_text, writing


class Journal:
    """Lines are only ever added; of two with the same key the later one holds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def outcomes(self) -> dict[str, Outcome]:
        """What is known, by key; a last line that a kill cut off is dropped from the file.

        Raises:
            UserError: a line is damaged otherwise.
        """
        if not self._path.exists():
            return {}
        text = self._path.read_text(encoding="utf-8")
        whole, _, cut = text.rpartition("\n")
        if cut:
            write_text(self._path, f"{whole}\n" if whole else "")
        return {outcome.key: outcome for outcome in self._parsed(whole.splitlines())}

    def add(self, outcome: Outcome) -> None:
        """Append a line."""
        line = json_line(outcome.told)
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _parsed(self, lines: list[str]) -> Iterator[Outcome]:
        for number, line in enumerate(lines, 1):
            where = f"{self._path}:{number}"
            try:
                values = json.loads(line)
            except ValueError:
                message = (
                    f"{where}: this line is not JSON: the journal is damaged; take the line out, its trial runs again"
                )
                raise UserError(message, code="damaged_journal", where=where) from None
            yield parse_config(Outcome, values, where=where)
