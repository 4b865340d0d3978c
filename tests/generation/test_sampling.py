"""Tokens are drawn as the settings say; texts depend on seed and source alone."""

from collections import Counter

import numpy as np
import pytest
import torch

from bertsmith.generation import Limits, Sampling, Shifted, sampled
from bertsmith.generation.sampling import _chances, drawn
from bertsmith.generation.written import Job, repeating

from . import samples

CHANCES = torch.tensor([[0.05, 0.5, 0.15, 0.3], [0.7, 0.1, 0.1, 0.1]]).log()
GRID = (np.arange(10_000) + 0.5) / 10_000


def shares(sampling: Sampling, row: int = 0) -> dict[int, float]:
    """How often each token comes up when chances are spread evenly."""
    tokens = drawn(CHANCES, sampling, np.full(len(GRID), row), GRID)
    return {token: count / len(GRID) for token, count in Counter(tokens.tolist()).items()}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"top_k": None}, {0: 0.05, 1: 0.5, 2: 0.15, 3: 0.3}),
        ({"top_k": 2}, {1: 0.625, 3: 0.375}),
        ({"top_k": 1}, {1: 1.0}),
        ({"top_k": 99}, {0: 0.05, 1: 0.5, 2: 0.15, 3: 0.3}),
        # 0.5 alone is less than 0.6: the token that crosses it stays
        ({"top_k": None, "top_p": 0.6}, {1: 0.625, 3: 0.375}),
        ({"top_k": None, "top_p": 0.5}, {1: 1.0}),
        ({"top_k": None, "top_p": 0.01}, {1: 1.0}),
        ({"top_k": None, "top_p": 1.0}, {0: 0.05, 1: 0.5, 2: 0.15, 3: 0.3}),
        # of the top 2 the first has 0.625 of what is left, which crosses 0.6 alone
        ({"top_k": 2, "top_p": 0.6}, {1: 1.0}),
        ({"top_k": 2, "top_p": 0.63}, {1: 0.625, 3: 0.375}),
        # squares: .25 : .09
        ({"top_k": 2, "temperature": 0.5}, {1: 0.25 / 0.34, 3: 0.09 / 0.34}),
    ],
)
def test_shares_by_hand(settings, expected):
    assert shares(Sampling(**settings)) == pytest.approx(expected, abs=2e-4)


def test_each_sample_draws_from_its_own_row():
    tokens = drawn(CHANCES, Sampling(top_k=1), np.array([0, 1, 0]), np.array([0.1, 0.5, 0.999999]))
    assert tokens.tolist() == [1, 0, 1]


def test_what_is_forbidden_is_never_drawn():
    scores = torch.tensor([[0.0, -torch.inf, 0.0, -torch.inf]])
    tokens = drawn(scores, Sampling(top_k=None), np.zeros(len(GRID), dtype=int), np.append(GRID[1:], 1 - 1e-17))
    assert set(tokens.tolist()) == {0, 2}


@pytest.fixture(params=samples.FORMS, ids=lambda form: form.kind)
def made(request, tmp_path):
    return samples.writer(samples.tokenizer(tmp_path), request.param)


def slowly(made, read, sampling: Sampling, length: int, seed: int) -> list[tuple[list[int], float, bool]]:
    """One text after the other, without memory, from the same chances."""
    texts = []
    for chances in _chances(read, Job(0, 0, sampling.count), length, seed):
        written: list[int] = []
        total, ended = 0.0, False
        for chance in chances:
            scores = samples.slow_scores(made, read, written)[None]
            (token,) = drawn(scores, sampling, np.zeros(1, dtype=int), np.array([chance])).tolist()
            whole = scores[0].clone()
            if not written:
                whole[made.end] = _end_score(made, read)
            total += float(whole[token] - whole.logsumexp(0))
            if token == made.end:
                ended = True
                break
            written.append(token)
        texts.append((written, total, ended))
    return texts


def _end_score(made, read) -> float:
    return float(made.begin([read], capacity=1).scores[0, made.end])


def test_equals_sampling_one_by_one_without_memory(made):
    sampling, limits = Sampling(count=6, top_k=4), Limits(target=5)
    read = [samples.source(5, 1), samples.source(2, 2)]
    for texts, one in zip(sampled(made, read, sampling, limits, seed=4), read, strict=True):
        expected = slowly(made, one, sampling, 5, 4)
        assert [(text.token_ids.tolist(), text.finished) for text in texts] == [(ids, end) for ids, _, end in expected]
        logs = [text.log_probability for text in texts]
        np.testing.assert_allclose(logs, [total for _, total, _ in expected], atol=1e-3)


def told(texts) -> list[list[tuple]]:
    return [[tuple(each.token_ids.tolist()) for each in some] for some in texts]


def test_company_and_rows_at_once_change_nothing(made):
    read = [samples.source(length, length) for length in (3, 9, 4)]
    sampling = Sampling(count=10, top_p=0.9)
    together = told(sampled(made, read, sampling, Limits(target=7), seed=1))
    alone = [told(sampled(made, [one], sampling, Limits(target=7), seed=1))[0] for one in read]
    narrow = told(sampled(made, read, sampling, Limits(target=7, rows=7), seed=1))
    assert together == alone == narrow
    assert told(sampled(made, read, sampling.but(count=5), Limits(target=7), seed=1)) == [some[:5] for some in together]
    assert told(sampled(made, read, sampling, Limits(target=7), seed=2)) != together


def test_texts_end_or_say_that_they_did_not(tmp_path):
    made = samples.writer(samples.tokenizer(tmp_path), Shifted())
    texts = sampled(made, [samples.source(4, 1)], Sampling(count=200, top_k=None), Limits(target=5), seed=0)[0]
    assert {text.finished for text in texts} == {True, False}
    for text in texts:
        assert samples.SEP not in text.token_ids
        assert 1 <= len(text.token_ids) <= 5
        assert text.finished or len(text.token_ids) == 5
        assert not made.never[torch.from_numpy(text.token_ids)].any()


def test_runs_that_would_repeat_by_hand():
    written = np.array([[7, 8, 9, 7, 8], [7, 7, 7, 7, 7], [1, 2, 3, 4, 5]])
    forbidden = repeating(written, 3, 10, end=0)
    assert [set(torch.nonzero(row)[:, 0].tolist()) for row in forbidden] == [{9}, {7}, set()]
    assert repeating(written[:, :2], 3, 10, end=0) is None
    assert repeating(written, 1, 10, end=0)[0].nonzero()[:, 0].tolist() == [7, 8, 9]
    assert not repeating(np.array([[5, 0, 5]]), 2, 10, end=0).any()


def test_no_text_repeats_a_run_of_tokens(made):
    sampling = Sampling(count=40, top_k=2, block_ngrams=2)
    (texts,) = sampled(made, [samples.source(4, 1)], sampling, Limits(target=12), seed=0)
    for text in texts:
        pairs = list(zip(text.token_ids, text.token_ids[1:], strict=False))
        assert len(pairs) == len(set(pairs))
