"""How far the reading of a corpus has come."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from bertsmith.data.corpus import Paragraph

Say = Callable[[str], None]
"""Tells the user one line."""


def silent(text: str) -> None:
    """Nobody listens."""


@dataclass
class Watch:
    """Counts what streams by, and says every `seconds` how much it was."""

    say: Say = silent
    seconds: float = 10.0
    clock: Callable[[], float] = time.monotonic
    paragraphs: int = 0
    characters: int = 0
    _next: float = field(default=0.0, init=False)

    def texts(self, paragraphs: Iterable[Paragraph], doing: str) -> Iterator[str]:
        """The texts of the paragraphs; the counts are those of this pass."""
        self.paragraphs = self.characters = 0
        self._next = self.clock() + self.seconds
        for paragraph in paragraphs:
            self.paragraphs += 1
            self.characters += len(paragraph.text)
            if self.clock() >= self._next:
                self._next = self.clock() + self.seconds
                self.say(f"{doing}: {self}")
            yield paragraph.text
        self.say(f"{doing}: {self}, the whole corpus")

    def __str__(self) -> str:
        return f"{self.paragraphs:,} paragraphs, {self.characters:,} characters"
