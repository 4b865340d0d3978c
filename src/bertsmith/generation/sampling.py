"""Texts drawn token by token, by chance.

Samples of a source that have written the same so far are one row: it is computed once, and parts where
they part. So a hundred samples cost what their different beginnings cost.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertsmith.batch import Example
from bertsmith.generation.decoding import Limits, Sampling
from bertsmith.generation.writer import Writer
from bertsmith.generation.written import Job, Written, jobs, repeating


def sampled(
    writer: Writer, sources: Sequence[Example], sampling: Sampling, limits: Limits, *, seed: int
) -> list[list[Written]]:
    """`sampling.count` texts of each source.

    The chance of a text depends on nothing but the seed, its source and its number: neither on the company of
    other sources nor on how many are written at once.
    """
    results: list[list[Written | None]] = [[None] * sampling.count for _ in sources]
    for group in jobs(sources, sampling.count, limits.rows):
        for job, texts in zip(group, _group(writer, sources, group, sampling, limits, seed), strict=True):
            results[job.source][job.first : job.first + job.count] = texts
    return [[text for text in texts if text is not None] for texts in results]


def drawn(
    scores: Float[Tensor, "rows vocab"],
    sampling: Sampling,
    owners: Int[np.ndarray, "samples"],
    chances: Float[np.ndarray, "samples"],
) -> Int[np.ndarray, "samples"]:
    """A token for each sample: where its chance falls in the distribution of the row it belongs to."""
    values, ids = _shortlist(scores / sampling.temperature, sampling)
    shares = values.double().softmax(-1)
    if sampling.top_p is not None:
        before = shares.cumsum(-1) - shares
        shares = shares.masked_fill(before >= sampling.top_p, 0.0)
    sums = shares.cumsum(-1)
    rows = torch.from_numpy(owners).to(scores.device)
    wanted = torch.from_numpy(chances).to(scores.device) * sums[rows, -1]
    places = torch.searchsorted(sums[rows], wanted[:, None], right=True)[:, 0]
    places = torch.minimum(places, _last_possible(shares)[rows])
    tokens = places if ids is None else ids[rows, places]
    return tokens.cpu().numpy()


def _shortlist(scores: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor | None]:
    """The scores that matter, likeliest first where that is needed, and their tokens; None: all, as they stand."""
    if sampling.top_k is not None:
        return scores.topk(min(sampling.top_k, scores.shape[1]), dim=-1)
    return scores.sort(-1, descending=True) if sampling.top_p is not None else (scores, None)


def _last_possible(shares: Tensor) -> Tensor:
    """The last token of each row with any chance: rounding never draws another."""
    return shares.shape[1] - 1 - (shares.flip(-1) > 0).int().argmax(-1)


def _chances(source: Example, job: Job, length: int, seed: int) -> Float[np.ndarray, "samples steps"]:
    """A number between 0 and 1 for each sample and step."""
    key = zlib.crc32(source.token_ids.astype("<i4").tobytes())
    random = np.random.Generator(np.random.PCG64([seed, key]))
    return random.random((job.first + job.count, length))[job.first :]


def _group(
    writer: Writer, sources: Sequence[Example], group: Sequence[Job], sampling: Sampling, limits: Limits, seed: int
) -> list[list[Written]]:
    read = [sources[job.source] for job in group]
    chances = np.concatenate(
        [_chances(source, job, limits.target, seed) for source, job in zip(read, group, strict=True)]
    )
    texts = _Texts(np.repeat(np.arange(len(group)), [job.count for job in group]), len(group))
    writing = writer.begin(read, capacity=limits.target)
    for step in range(limits.target):
        scores = _allowed(writing.scores, writer, texts, sampling.block_ngrams)
        tokens = drawn(scores, sampling, texts.owners, chances[texts.going, step])
        parents = texts.append(tokens, _log_probabilities(writing.scores, texts.owners, tokens), writer.end)
        if not len(texts.going) or step + 1 == limits.target:
            break
        writing.write(parents, texts.written[:, -1])
    made = iter(texts.all())
    return [[next(made) for _ in range(job.count)] for job in group]


def _allowed(scores: Tensor, writer: Writer, texts: "_Texts", ngrams: int | None) -> Tensor:
    """Without what would repeat itself, and without an end before anything is written."""
    length = texts.written.shape[1]
    if length == 0:
        scores = scores.index_fill(1, torch.tensor([writer.end], device=scores.device), -torch.inf)
    forbidden = repeating(texts.written, ngrams, scores.shape[1], writer.end) if ngrams else None
    return scores if forbidden is None else scores.masked_fill(forbidden.to(scores.device), -torch.inf)


def _log_probabilities(
    scores: Tensor, owners: Int[np.ndarray, "samples"], tokens: Int[np.ndarray, "samples"]
) -> Float[np.ndarray, "samples"]:
    """What the writer itself says of the tokens drawn, whatever they were drawn from."""
    rows, ids = (torch.from_numpy(each).to(scores.device) for each in (owners, tokens))
    return (scores[rows, ids] - scores.logsumexp(-1)[rows]).double().cpu().numpy()


class _Texts:
    """The samples of a group: `written` `[rows, tokens]` of each row, and the row that each going sample is."""

    def __init__(self, owners: Int[np.ndarray, "samples"], rows: int) -> None:
        self.owners = owners
        self.going = np.arange(len(owners))
        self.written = np.empty((rows, 0), dtype=np.int64)
        self._sums = np.zeros(len(owners))
        self._done: dict[int, Written] = {}

    def append(
        self, tokens: Int[np.ndarray, "going"], logs: Float[np.ndarray, "going"], end: int
    ) -> Int[np.ndarray, "rows"]:
        """Put a token behind each going sample; those that end leave. Gives the row that each row goes on from."""
        self._sums[self.going] += logs
        ended = tokens == end
        self._settle(ended, finished=True)
        self.going = self.going[~ended]
        base = int(tokens.max(initial=0)) + 1
        pairs, self.owners = np.unique(self.owners[~ended] * base + tokens[~ended], return_inverse=True)
        parents = pairs // base
        self.written = np.concatenate([self.written[parents], pairs[:, None] % base], axis=1)
        return parents

    def all(self) -> list[Written]:
        """Every sample in its order; what has not ended is as far as it came."""
        self._settle(np.ones(len(self.going), dtype=bool), finished=False)
        return [self._done[number] for number in range(len(self._sums))]

    def _settle(self, which: np.ndarray, *, finished: bool) -> None:
        for sample, owner in zip(self.going[which], self.owners[which], strict=True):
            self._done[int(sample)] = Written(self.written[owner].copy(), float(self._sums[sample]), finished)
