"""How much written texts differ: from what they were written of, and from each other."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Distinct:
    """Distinct-n: different runs of `size` tokens, as a share of all (Li et al. 2016, arXiv 1510.03055 §5).

    Texts are added as they come; 1 where no two runs are the same, near 0 where the same is said again and again.
    """

    size: int = 2
    _seen: set[tuple[Hashable, ...]] = field(default_factory=set)
    _total: int = 0

    def add(self, tokens: Sequence[Hashable]) -> None:
        """Count the runs of one text."""
        runs = [tuple(tokens[start : start + self.size]) for start in range(len(tokens) - self.size + 1)]
        self._total += len(runs)
        self._seen.update(runs)

    @property
    def share(self) -> float:
        """NaN where nothing is long enough."""
        return len(self._seen) / self._total if self._total else float("nan")


def distinct(texts: Iterable[Sequence[Hashable]], size: int = 2) -> float:
    """Distinct-n of texts as tokens, or as characters."""
    counted = Distinct(size)
    for text in texts:
        counted.add(text)
    return counted.share


def copy_rate(sources: Sequence[str], written: Sequence[Sequence[str]]) -> float:
    """The share of texts that are what they were written of, word for word; NaN where nothing was written."""
    copies = [text == source for source, texts in zip(sources, written, strict=True) for text in texts]
    return sum(copies) / len(copies) if copies else float("nan")
