"""The token table of random weights begins as word vectors of the corpus."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bertsmith.pretraining import TokenVectors
from bertsmith.pretraining.token_vectors import LearnedVectors
from tests.pretraining import tiny

FEW = TokenVectors(least_count=1, epochs=3)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny.corpus(tmp_path_factory.mktemp("corpus")).shards


def test_the_same_corpus_gives_the_same_vectors(shards):
    first, second = (FEW.learn(shards, width=8) for _ in range(2))
    assert first.vectors.shape == (len(first.ids), 8)
    assert np.array_equal(first.ids, second.ids)
    assert np.array_equal(first.vectors, second.vectors)
    assert set(first.ids) == set(shards.read(0, shards.tokens).token_ids)


def test_only_the_first_tokens_are_read(shards):
    some = FEW.but(tokens=40).learn(shards, width=8)
    assert set(some.ids) == set(shards.read(0, 40).token_ids)


def test_rare_tokens_keep_their_row(shards):
    counts = np.bincount(shards.read(0, shards.tokens).token_ids)
    threshold = int(np.median(counts[counts > 0]))
    found = FEW.but(least_count=threshold).learn(shards, width=8)
    assert set(found.ids) == set(np.flatnonzero(counts >= threshold))


def test_rows_are_centred_and_as_long_as_random_ones():
    encoder = tiny.encoder()
    before = encoder.embeddings.token.weight.detach().clone()
    vectors = np.random.default_rng(0).normal(3.0, 1.0, (20, 32)).astype(np.float32)
    LearnedVectors(np.arange(5, 25), vectors).put(encoder)
    table = encoder.embeddings.token.weight.detach()
    assert_close(table[5:25].norm(dim=1), torch.full((20,), 0.2 * 32**0.5))
    expected = torch.from_numpy(vectors - vectors.mean(0))
    assert_close(torch.cosine_similarity(table[5:25], expected), torch.ones(20))
    assert torch.equal(table[25:], before[25:])
    assert torch.equal(table[:5], before[:5])


def test_they_survive_a_file(tmp_path, shards):
    learned = FEW.learn(shards, width=8)
    learned.save(tmp_path / "vectors.npz")
    again = LearnedVectors.load(tmp_path / "vectors.npz")
    assert np.array_equal(again.ids, learned.ids)
    assert np.array_equal(again.vectors, learned.vectors)
