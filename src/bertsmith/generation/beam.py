"""The likeliest texts, searched for with several beginnings at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bertsmith.batch import Example
from bertsmith.generation.decoding import Beam, Limits
from bertsmith.generation.writer import Writer
from bertsmith.generation.written import Written, repeating


def searched(writer: Writer, sources: Sequence[Example], beam: Beam, limits: Limits) -> list[list[Written]]:
    """Up to `beam.width` texts of each source, best first.

    A source is done once as many texts have ended as the beam is wide, and no beginning can still beat the
    worst of them. Texts that have not ended come last, where too few have.
    """
    results: list[list[Written]] = [[] for _ in sources]
    order = sorted(range(len(sources)), key=lambda number: len(sources[number]))
    together = max(1, limits.rows // beam.width)
    for start in range(0, len(order), together):
        group = order[start : start + together]
        found = _group(writer, [sources[number] for number in group], beam, limits)
        for number, texts in zip(group, found, strict=True):
            results[number] = texts
    return results


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Rows and what may follow them, by source and then best first."""

    owners: Int[np.ndarray, "candidates"]
    rows: Int[np.ndarray, "candidates"]
    tokens: Int[np.ndarray, "candidates"]
    sums: Float[np.ndarray, "candidates"]

    def where(self, chosen: Bool[np.ndarray, "candidates"]) -> "_Candidates":
        return _Candidates(self.owners[chosen], self.rows[chosen], self.tokens[chosen], self.sums[chosen])

    def best(self, number: int) -> "_Candidates":
        """The first so many of each source."""
        starts = np.searchsorted(self.owners, self.owners, side="left")
        return self.where(np.arange(len(self.owners)) - starts < number)


class _Search:
    """The beginnings of a group: `owners` says whose each row is, `sums` how likely it is; and what has ended."""

    def __init__(self, beam: Beam, sources: int, longest: int) -> None:
        self.beam = beam
        self.owners = np.arange(sources)
        self.written = np.empty((sources, 0), dtype=np.int64)
        self.sums = np.zeros(sources)
        self.ended: list[list[Written]] = [[] for _ in range(sources)]
        self._longest = longest

    def go_on(self, going: _Candidates) -> None:
        """Put its token behind each row that goes on."""
        self.written = np.concatenate([self.written[going.rows], going.tokens[:, None]], axis=1)
        self.owners, self.sums = going.owners, going.sums

    def end(self, candidates: _Candidates, *, finished: bool) -> None:
        """These are texts of their sources now, if they are among the best."""
        for owner, row, total in zip(candidates.owners, candidates.rows, candidates.sums, strict=True):
            self.ended[owner].append(Written(self.written[row].copy(), float(total), finished))
        for owner in np.unique(candidates.owners):
            self.ended[owner].sort(key=lambda text: (not text.finished, -self._score(text)))
            del self.ended[owner][self.beam.width :]

    def undone(self, going: _Candidates) -> Bool[np.ndarray, "candidates"]:
        """Which candidates belong to sources where they may still be among the best."""
        best = going.best(1)
        done = [
            self._is_done(owner, total) for owner, total in zip(best.owners.tolist(), best.sums.tolist(), strict=True)
        ]
        return ~np.isin(going.owners, best.owners[np.array(done, dtype=bool)])

    def _is_done(self, owner: int, best: float) -> bool:
        texts = self.ended[owner]
        return len(texts) == self.beam.width and self._score(texts[-1]) >= best / self._penalty(self._longest)

    def _score(self, text: Written) -> float:
        return text.log_probability / self._penalty(len(text.token_ids) + text.finished)

    def _penalty(self, length: int) -> float:
        return float(((5 + length) / 6) ** self.beam.length_penalty)


def _group(writer: Writer, sources: Sequence[Example], beam: Beam, limits: Limits) -> list[list[Written]]:
    search = _Search(beam, len(sources), limits.target)
    writing = writer.begin(sources, capacity=limits.target)
    for step in range(limits.target):
        candidates = _candidates(writing.scores, search, writer.end)
        ends = candidates.best(beam.width)
        search.end(ends.where(ends.tokens == writer.end), finished=True)
        going = candidates.where(candidates.tokens != writer.end).best(beam.width)
        going = going.where(search.undone(going))
        search.go_on(going)
        if not len(going.rows) or step + 1 == limits.target:
            break
        writing.write(going.rows, going.tokens)
    rest = np.arange(len(search.owners))
    search.end(_Candidates(search.owners, rest, rest, search.sums), finished=False)
    return search.ended


def _candidates(scores: Tensor, search: _Search, end: int) -> _Candidates:
    """The two best for each place in the beam: should all of one kind end, as many do not."""
    logs = scores.log_softmax(-1)
    if search.written.shape[1] == 0:
        logs = logs.index_fill(1, torch.tensor([end], device=logs.device), -torch.inf)
    size = search.beam.block_ngrams
    forbidden = repeating(search.written, size, logs.shape[1], end) if size else None
    if forbidden is not None:
        logs = logs.masked_fill(forbidden.to(logs.device), -torch.inf)
    values, ids = logs.topk(min(2 * search.beam.width, logs.shape[1]), dim=-1)
    sums = (values.double().cpu().numpy() + search.sums[:, None]).reshape(-1)
    rows = np.repeat(np.arange(len(search.owners)), values.shape[1])
    owners = search.owners[rows]
    order = np.lexsort((-sums, owners))
    order = order[np.isfinite(sums[order])]
    found = _Candidates(owners[order], rows[order], ids.cpu().numpy().reshape(-1)[order], sums[order])
    return found.best(2 * search.beam.width)
