"""The sums and maxima over all paths through a linear chain, for many sequences side by side (Lafferty et al. 2001).

Written with sums and maxima of logarithms, so that a forbidden step is simply minus infinity: it
adds nothing to any sum, wins no maximum, and its gradient is exactly zero. Rows are in the order
of a walk (`Steps`): no padding, and no loop over sequences.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from bertsmith.batch import Steps

Emissions = Float[Tensor, "rows tags"]


class Grammar(NamedTuple):
    """Scores of the first tag, of a step from tag `i` to tag `j`, and of the last tag."""

    start: Float[Tensor, "tags"]
    steps: Float[Tensor, "tags tags"]
    end: Float[Tensor, "tags"]


class Expectations(NamedTuple):
    """The logarithm of the sum over all paths of all sequences; how often tags and steps occur on them.

    `tags` has the probability of every tag at every row, `steps` the expected number of every step.
    """

    log_sum: Float[Tensor, ""]
    tags: Emissions
    steps: Float[Tensor, "tags tags"]


def log_sum(emissions: Emissions, grammar: Grammar, walk: Steps) -> Float[Tensor, ""]:
    """The logarithm of the summed weights of all paths, added up over sequences; can be differentiated once."""
    total: Tensor = _LogSum.apply(emissions, *grammar, walk)  # type: ignore[no-untyped-call]
    return total


def expectations(emissions: Emissions, grammar: Grammar, walk: Steps) -> Expectations:
    """Forward and backward sums (Rabiner 1989); rows are scaled to a maximum of one: long chains stay exact."""
    forward, total = _forward(emissions, grammar, walk)
    parts = walk.parts(emissions)
    steps = torch.zeros_like(grammar.steps)
    backward = grammar.end.expand(walk.sizes[-1], -1)
    tags = [(forward[-1] + backward).softmax(1)]
    for step in range(len(parts) - 2, -1, -1):
        onward = grammar.steps + (parts[step + 1] + backward)[:, None, :]
        going = len(onward)
        steps += (onward + forward[step][:going, :, None]).flatten(1).softmax(1).sum(0).view_as(steps)
        backward = torch.cat([onward.logsumexp(2), grammar.end.expand(len(parts[step]) - going, -1)])
        backward = backward - backward.amax(1, keepdim=True)
        tags.append((forward[step] + backward).softmax(1))
    return Expectations(total, torch.cat(tags[::-1]), steps)


def best_paths(emissions: Emissions, grammar: Grammar, walk: Steps) -> Int[Tensor, "rows"]:
    """The path with the highest score of every sequence (Viterbi 1967)."""
    first, *others = walk.parts(emissions)
    scores, origins = [grammar.start + first], []
    for part in others:
        best, origin = (scores[-1][: len(part), :, None] + grammar.steps).max(1)
        scores.append(best + part)
        origins.append(origin)
    tags = [(scores[-1] + grammar.end).argmax(1)]
    for score, origin in zip(scores[-2::-1], origins[::-1], strict=True):
        ended = (score[len(origin) :] + grammar.end).argmax(1)
        tags.append(torch.cat([origin.gather(1, tags[-1][:, None])[:, 0], ended]))
    return torch.cat(tags[::-1])


def _forward(emissions: Emissions, grammar: Grammar, walk: Steps) -> tuple[list[Tensor], Tensor]:
    """Forward sums of every row, scaled; and what the whole sums to."""
    forward: list[Tensor] = []
    total = emissions.new_zeros(())
    for part in walk.parts(emissions):
        before = forward[-1][: len(part), :, None] + grammar.steps if forward else grammar.start.expand(1, 1, -1)
        raw = before.logsumexp(1) + part
        largest = raw.amax(1, keepdim=True)
        total = total + largest.sum()
        forward.append(raw - largest)
    ended = [each[going:] for each, going in zip(forward, walk.following, strict=True)]
    return forward, total + (torch.cat(ended) + grammar.end).logsumexp(1).sum()


class _LogSum(torch.autograd.Function):
    """The gradient of the log sum is the expectation: cheaper than a record of every step, and exact."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, start: Tensor, steps: Tensor, end: Tensor, walk: Steps) -> Tensor:
        found = expectations(emissions, Grammar(start, steps, end), walk)
        ctx.walk = walk
        ctx.save_for_backward(found.tags, found.steps)
        return found.log_sum

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        tags, steps = ctx.saved_tensors
        parts = ctx.walk.parts(tags)
        ended = torch.cat([part[going:] for part, going in zip(parts, ctx.walk.following, strict=True)])
        grown = (each * gradient for each in (tags, parts[0].sum(0), steps, ended.sum(0)))
        return (*grown, None)
