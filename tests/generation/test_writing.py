"""The writer's scores with memory are those without; special tokens are never written."""

import numpy as np
import pytest
import torch

from bertsmith.generation import Writer

from . import samples


@pytest.fixture(params=samples.FORMS, ids=lambda form: form.kind)
def made(request, tmp_path) -> Writer:
    return samples.writer(samples.tokenizer(tmp_path), request.param)


def agree(made: Writer, scores: torch.Tensor, read: list, written: list[list[int]]) -> None:
    for row, (one, text) in enumerate(zip(read, written, strict=True)):
        wanted = samples.slow_scores(made, one, text)
        ours = scores[row].double()
        if not text:
            ours[made.end] = -torch.inf
        torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-4)


def test_scores_are_those_of_the_whole_text(made):
    read = [samples.source(length, length) for length in (2, 3, 3, 8)]
    writing = made.begin(read, capacity=6)
    agree(made, writing.scores, read, [[], [], [], []])
    written: list[list[int]] = [[], [], [], []]
    for rows, tokens in (([0, 1, 1, 2, 3], [5, 6, 7, 8, 9]), ([1, 2, 4, 4], [9, 9, 5, 6]), ([0, 3], [8, 8])):
        writing.write(np.array(rows), np.array(tokens))
        read = [read[row] for row in rows]
        written = [[*written[row], token] for row, token in zip(rows, tokens, strict=True)]
        agree(made, writing.scores, read, written)


def test_special_tokens_and_empty_rows_are_never_written(made):
    never = set(torch.nonzero(made.never)[:, 0].tolist())
    empty, spare = len(samples.VOCAB) - 1, {len(samples.VOCAB), len(samples.VOCAB) + 1}
    assert never == {0, 1, 2, 4, empty} | spare
