"""Packed batch to vectors: each part by hand, several in one pass, what learns and how deep it lies."""

import pytest
import torch
from torch.testing import assert_close

from bertsmith.encoder import EncoderConfig, new_encoder
from bertsmith.errors import UserError
from bertsmith.features import Average, Features, One
from bertsmith.sentences import POOLINGS, Projection, SentenceEmbedder, SentenceTask, SideBySide

from ..features.test_features import batch_of

SHAPE = {"num_layers": 3, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32, "vocab_size": 50}


@pytest.fixture(scope="module")
def encoder():
    return new_encoder(EncoderConfig(**SHAPE, initializer_range=0.2), seed=0).eval()


def embedder_of(encoder, **task):
    torch.manual_seed(1)
    return SentenceEmbedder(SentenceTask(**task), encoder, generator=torch.Generator().manual_seed(2)).eval()


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("layers", [One(), One(number=1), Average()])
def test_pooling_is_that_of_the_features(encoder, name, layers):
    features = POOLINGS[name].but(layers=layers)
    embedder, batch = embedder_of(encoder, features=features, normalize=False), batch_of([3, 5, 1, 8])
    states = encoder(batch, keep_layers=range(4))
    assert_close(embedder(batch), embedder.features(states, batch), atol=1e-6, rtol=0)


def test_finish_projects_whitens_cuts_and_norms(encoder):
    embedder = embedder_of(
        encoder,
        features=Features(pooling="mean"),
        projections=(Projection(width=12), Projection(width=10, activation="tanh", bias=False)),
        whitening=6,
        dim=4,
    )
    pooled = torch.randn(5, 16)
    first, second = (layer.linear for layer in embedder.projections)
    embedder.whitening.mean.copy_(torch.randn(10))
    embedder.whitening.matrix.copy_(torch.randn(10, 6))
    hidden = pooled @ first.weight.T + first.bias
    hidden = torch.tanh(hidden @ second.weight.T)
    assert second.bias is None
    white = ((hidden - embedder.whitening.mean) @ embedder.whitening.matrix)[:, :4]
    assert_close(embedder.finish(pooled, normalize=False), white)
    assert_close(embedder.finish(pooled), white / white.norm(dim=1, keepdim=True))
    assert (embedder.pooled_width, embedder.projected_width, embedder.width) == (16, 10, 4)


def test_several_in_one_pass(encoder):
    embedders = [embedder_of(encoder, features=features) for features in POOLINGS.values()]
    batch = batch_of([4, 2, 9])
    together = SideBySide(embedders)(batch)
    assert together.shape == (3, 16 * len(embedders))
    assert_close(together, torch.cat([each(batch) for each in embedders], dim=1), atol=1e-6, rtol=0)


def test_everything_learns_but_the_whitening(encoder):
    embedder = embedder_of(encoder, features=POOLINGS["cls"], projections=(Projection(width=8),), whitening=8)
    embedder.whitening.matrix.copy_(torch.eye(8))
    embedder(batch_of([3, 4])).sum().backward()
    names = {name for name, weight in embedder.named_parameters() if weight.grad is not None}
    assert {"projections.0.linear.weight", "encoder.embeddings.token.weight"} <= names
    assert not [name for name in dict(embedder.named_parameters()) if name.startswith("whitening")]
    assert embedder.depth_of("projections.0.linear.weight") == 4 == embedder.top_depth + 1
    assert embedder.depth_of("encoder.embeddings.token.weight") == 0
    encoder.zero_grad()


def test_dropout_makes_two_views_in_training(encoder):
    embedder = embedder_of(encoder, features=POOLINGS["cls"])
    batch = batch_of([5, 6])
    assert_close(embedder(batch), embedder(batch))
    embedder.train()
    assert (embedder(batch) - embedder(batch)).abs().max() > 1e-3
    embedder.eval()


@pytest.mark.parametrize(("setting", "value"), [("whitening", 17), ("dim", 17)])
def test_more_dimensions_than_there_are(encoder, setting, value):
    with pytest.raises(UserError, match=f"{setting} is 17, but the vectors have 16"):
        embedder_of(encoder, **{setting: value})
