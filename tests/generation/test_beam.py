"""Beam search against every text there is, and against greedy search."""

from itertools import product

import numpy as np
import pytest
import torch

from bertsmith.generation import Beam, Limits, Shifted, searched

from . import samples

FEW = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"退货款"]
SEP = samples.SEP


@pytest.fixture(params=samples.FORMS, ids=lambda form: form.kind)
def made(request, tmp_path):
    return samples.writer(samples.tokenizer(tmp_path, FEW), request.param, seed=3)


def logs_of(made, read, ids: tuple[int, ...]) -> float:
    total = 0.0
    for place, token in enumerate(ids):
        scores = samples.slow_scores(made, read, list(ids[:place]))
        if place == 0:
            scores[made.end] = made.begin([read], capacity=1).scores[0, made.end].double()
        total += float(scores.log_softmax(0)[token])
    return total


def every_text(made, read, longest: int) -> dict[tuple[int, ...], float]:
    """All texts that end within so many tokens, by the sum of their log-probabilities."""
    texts = (ids for length in range(1, longest) for ids in product((5, 6, 7), repeat=length))
    return {ids: logs_of(made, read, (*ids, SEP)) for ids in texts}


def few_source(length: int, seed: int):
    ids = np.random.default_rng(seed).integers(5, 8, length)
    return samples.Example(np.array([2, *ids, 3], dtype=np.int32), np.zeros(length + 2, dtype=np.int32))


def test_a_wide_beam_finds_the_best_of_all(made):
    read = [few_source(4, 1), few_source(2, 2)]
    found = searched(made, read, Beam(width=40), Limits(target=3))
    for one, texts in zip(read, found, strict=True):
        expected = every_text(made, one, 3)
        ended = {tuple(text.token_ids.tolist()): text.log_probability for text in texts if text.finished}
        assert ended == pytest.approx(expected, abs=1e-3)
        totals = [text.log_probability for text in texts if text.finished]
        assert totals == sorted(totals, reverse=True)
        assert all(len(text.token_ids) == 3 for text in texts if not text.finished)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_length_penalty_orders_as_by_hand(made, penalty):
    read = few_source(4, 1)
    (texts,) = searched(made, [read], Beam(width=40, length_penalty=penalty), Limits(target=3))
    scores = {ids: total / ((5 + len(ids) + 1) / 6) ** penalty for ids, total in every_text(made, read, 3).items()}
    best = sorted(scores, key=lambda ids: -scores[ids])
    assert [tuple(text.token_ids.tolist()) for text in texts][:5] == best[:5]


def test_width_one_is_greedy(made):
    for seed in range(4):
        read = few_source(3, seed)
        written: list[int] = []
        ended = False
        while len(written) < 9 and not ended:
            token = int(samples.slow_scores(made, read, written).argmax())
            ended = token == SEP
            written += [] if ended else [token]
        (text,) = searched(made, [read], Beam(width=1), Limits(target=9))[0]
        assert text.token_ids.tolist() == written
        assert text.finished is ended


def test_company_changes_nothing(made):
    read = [few_source(length, length) for length in (5, 2, 3, 3)]
    beam = Beam(width=4)
    together = searched(made, read, beam, Limits(target=6))
    for one, texts in zip(read, together, strict=True):
        alone = searched(made, [one], beam, Limits(target=6))[0]
        assert [text.token_ids.tolist() for text in texts] == [text.token_ids.tolist() for text in alone]
    narrow = searched(made, read, beam, Limits(target=6, rows=4))
    assert [[t.token_ids.tolist() for t in s] for s in narrow] == [[t.token_ids.tolist() for t in s] for s in together]


def test_texts_are_different_and_repeat_no_trigram(tmp_path):
    made = samples.writer(samples.tokenizer(tmp_path, FEW), Shifted(), seed=5)
    with torch.no_grad():
        made.head.bias[SEP] = -20.0
    (plain,) = searched(made, [few_source(4, 1)], Beam(width=5), Limits(target=12))
    (blocked,) = searched(made, [few_source(4, 1)], Beam(width=5, block_ngrams=3), Limits(target=12))
    for texts in (plain, blocked):
        assert len({tuple(text.token_ids.tolist()) for text in texts}) == len(texts) == 5
    repeats = [len(set(_trigrams(text))) < len(_trigrams(text)) for text in plain]
    assert any(repeats)
    assert not any(len(set(_trigrams(text))) < len(_trigrams(text)) for text in blocked)


def _trigrams(text) -> list[tuple]:
    ids = text.token_ids.tolist()
    return list(zip(ids, ids[1:], ids[2:], strict=False))
