"""Losses of sentence vectors: values worked out by hand, and sentence-transformers' own on the same vectors."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.losses import (
    AllPairs,
    CoSent,
    CosineRegression,
    InBatch,
    Matryoshka,
    PairClasses,
    TeacherSimilarities,
    TeacherVectors,
    Triplet,
    Truth,
)


def vectors(items: int, roles: int, width: int = 7, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(items, roles, width, generator=generator, dtype=torch.float64).requires_grad_()


def built(config, width: int = 7, outputs: int = 3):
    return config.build(width, outputs, generator=torch.Generator().manual_seed(0))


def on_circle(*degrees: float) -> torch.Tensor:
    """Unit vectors of these angles, so that cosines are known."""
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_in_batch_by_hand():
    pairs = on_circle(0, 60, 90, 180).view(2, 2, 2)
    # first texts 0° and 90°, second ones 60° and 180°
    rows = [[0.5, -1.0], [math.cos(math.pi / 6), 0.0]]
    expected = sum(math.log(sum(math.exp(value / 0.5) for value in row)) - row[i] / 0.5 for i, row in enumerate(rows))
    total = built(InBatch(temperature=0.5)).loss(pairs, Truth(2))
    assert total.sum.item() == pytest.approx(expected, abs=1e-12)
    assert total.weight == 2


def test_hard_negatives_are_more_columns_and_weigh_in_their_own_row():
    triplets = on_circle(0, 60, 120, 90, 150, 30).view(2, 3, 2)
    cos = [[math.cos(math.radians(a - b)) for b in (60, 150, 120, 30)] for a in (0, 90)]
    alpha = 3.0
    expected = 0.0
    for row in range(2):
        terms = [math.exp(value) for value in cos[row]]
        terms[2 + row] *= alpha
        expected += math.log(sum(terms)) - cos[row][row]
    found = built(InBatch(temperature=1.0, hard_negative_weight=alpha)).loss(triplets, Truth(2)).sum
    assert found.item() == pytest.approx(expected, abs=1e-12)


def test_all_pairs_by_hand():
    pairs = on_circle(0, 30, 100, 220).view(2, 2, 2)
    angles, expected = (0, 30, 100, 220), 0.0
    for row, angle in enumerate(angles):
        partner = row ^ 1
        others = [20 * math.cos(math.radians(angle - b)) for place, b in enumerate(angles) if place != row]
        expected += math.log(sum(map(math.exp, others))) - 20 * math.cos(math.radians(angle - angles[partner]))
    total = built(AllPairs()).loss(pairs, Truth(2))
    assert total.sum.item() == pytest.approx(expected, abs=1e-9)
    assert total.weight == 4


def test_all_pairs_as_su_writes_it():
    """bojone/SimCSE, eval.py: `simcse_loss`, and SimBERT's with another scale."""
    for scale in (20, 30):
        pairs = vectors(5, 2)
        rows = F.normalize(pairs.flatten(0, 1), dim=1)
        numbers = torch.arange(10)
        labels = numbers + 1 - numbers % 2 * 2
        similarities = (rows @ rows.T - torch.eye(10, dtype=torch.float64) * 1e12) * scale
        expected = F.cross_entropy(similarities, labels)
        assert_close(built(AllPairs(scale=scale)).loss(pairs, Truth(5)).mean, expected)


def test_cosent_by_hand():
    pairs = on_circle(0, 10, 0, 50, 0, 80).view(3, 2, 2)
    cos = [math.cos(math.radians(a)) for a in (10, 50, 80)]
    labels = torch.tensor([1.0, 3.0, 2.0])
    gaps = [cos[0] - cos[1], cos[0] - cos[2], cos[2] - cos[1]]
    expected = math.log(1 + sum(math.exp(20 * gap) for gap in gaps))
    total = built(CoSent()).loss(pairs, Truth(3, labels))
    assert total.sum.item() == pytest.approx(expected, abs=1e-9)
    assert total.weight == 1
    assert built(CoSent()).loss(pairs, Truth(3, torch.ones(3))).sum == 0


def test_triplet_by_hand():
    triplets = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 2.0], [7.0, 1.0]]])
    total = built(Triplet(margin=1.0)).loss(triplets, Truth(2))
    assert_close(total.sum, torch.tensor(5.0), atol=1e-4, rtol=0)  # 5 - 1 + 1, and 1 - 6 + 1 < 0
    circle = on_circle(0, 60, 90).view(1, 3, 2)
    found = built(Triplet(margin=0.8, distance="cosine")).loss(circle, Truth(1)).sum
    assert found.item() == pytest.approx(0.5 - 1 + 0.8)


def test_similarities_of_the_teacher_by_hand():
    ours, theirs = on_circle(0, 90).view(2, 1, 2), torch.ones(2, 1, 5)
    total = built(TeacherSimilarities(weight=100)).loss(ours, Truth(2, teacher=theirs))
    assert total.sum.item() == pytest.approx(100 / 4 * 2, rel=1e-6)  # two of four cosines are 0 and should be 1
    same = vectors(3, 2)
    assert built(TeacherSimilarities()).loss(same, Truth(3, teacher=same.detach() * 2)).sum.item() == pytest.approx(0)


@pytest.mark.parametrize(("directions", "partition"), [(("query_to_doc",), "joint"), (None, "per_direction")])
@pytest.mark.parametrize("roles", [2, 3, 4])
def test_in_batch_equals_sentence_transformers(directions, partition, roles):
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    both = directions is None
    theirs = MultipleNegativesRankingLoss(
        nn.Identity(), directions=directions or ("query_to_doc", "doc_to_query"), partition_mode=partition
    )
    some = vectors(6, roles)
    expected = theirs.compute_loss_from_embeddings(list(some.unbind(1)), None)
    ours = built(InBatch(directions="both" if both else "one")).loss(some, Truth(6)).mean
    assert_close(ours, expected)
    (mine,), (other,) = torch.autograd.grad(ours, some), torch.autograd.grad(expected, some)
    assert_close(mine, other)


SCORES = torch.tensor([0.1, 0.9, 0.4, 0.4, 1.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "settings", "config", "labels", "roles"),
    [
        ("CoSENTLoss", {}, CoSent(), SCORES, 2),
        ("CosineSimilarityLoss", {}, CosineRegression(), SCORES, 2),
        ("TripletLoss", {"triplet_margin": 1.0}, Triplet(), None, 3),
    ],
)
def test_losses_equal_sentence_transformers(name, settings, config, labels, roles):
    from sentence_transformers.sentence_transformer import losses

    some = vectors(5, roles)
    theirs = getattr(losses, name)(nn.Identity(), **settings)
    expected = theirs.compute_loss_from_embeddings(list(some.unbind(1)), labels)
    ours = built(config).loss(some, Truth(5, labels)).mean
    assert_close(ours, expected)
    assert_close(torch.autograd.grad(ours, some)[0], torch.autograd.grad(expected, some)[0])


def test_pair_classes_equal_sentence_transformers():
    from sentence_transformers.sentence_transformer.losses import SoftmaxLoss

    class Model(nn.Module):
        device = torch.device("cpu")

        def forward(self, features):
            return {"sentence_embedding": features["vectors"]}

    some, labels = vectors(5, 2).detach().float(), torch.tensor([0, 2, 1, 1, 0])
    theirs, ours = SoftmaxLoss(Model(), 7, 3), built(PairClasses())
    theirs.classifier.load_state_dict(ours.linear.state_dict())
    features = [{"vectors": some[:, role]} for role in range(2)]
    assert_close(ours.loss(some, Truth(5, labels)).mean, theirs(features, labels))


def test_teacher_vectors_are_a_mean_square():
    some, theirs = vectors(4, 2), vectors(4, 2, seed=1).detach()
    assert_close(built(TeacherVectors()).loss(some, Truth(4, teacher=theirs)).mean, F.mse_loss(some, theirs))


def test_equal_texts_and_known_positives_are_no_negatives():
    """Item 2 is a copy of item 0: with both masked each, the loss is that of the batch without the copy."""
    pairs = vectors(2, 2)
    doubled = torch.cat([pairs, pairs[:1]])
    slots = [(0, 4), (0, 5), (1, 4), (1, 5)]
    alike = torch.tensor(slots + [(b, a) for a, b in slots])
    for config in (InBatch(), InBatch(directions="both"), AllPairs()):
        criterion = built(config)
        alone = criterion.loss(pairs, Truth(2)).sum
        first = criterion.loss(pairs[:1], Truth(1)).sum
        found = criterion.loss(doubled, Truth(3, alike=alike)).sum
        punished = criterion.loss(doubled, Truth(3)).sum
        assert first == 0
        assert found < punished
        if isinstance(config, InBatch) and config.directions == "one":
            by_row = F.cross_entropy(criterion.scores(pairs, Truth(2)), torch.arange(2), reduction="none")
            # rows 0 and 2 see one other item, row 1 sees two copies of item 0
            scores = criterion.scores(doubled, Truth(3))[1]
            assert_close(found, 2 * by_row[0] + scores.logsumexp(0) - scores[1])
        assert alone > 0


def test_the_own_partner_is_never_hidden():
    pairs = vectors(3, 2)
    own = torch.tensor([[0, 1], [1, 0], [2, 3], [3, 2]])
    for config in (InBatch(), AllPairs()):
        assert_close(built(config).loss(pairs, Truth(3, alike=own)).sum, built(config).loss(pairs, Truth(3)).sum)


def test_a_negative_equal_to_the_partner_is_hidden():
    triplets = vectors(2, 3)
    alike = torch.tensor([[0, 2], [2, 0], [1, 2], [2, 1]])
    scores = built(InBatch()).scores(triplets, Truth(2, alike=alike))
    assert scores[0, 2] == -math.inf
    assert torch.isfinite(scores).sum() == 7


def test_matryoshka_sums_over_prefixes():
    pairs = vectors(4, 2, width=8)
    criterion = built(InBatch())
    expected = sum(criterion.loss(pairs[..., :dim], Truth(4)).sum for dim in (2, 4, 8))
    assert_close(Matryoshka(criterion, (2, 4)).loss(pairs, Truth(4)).sum, expected)
    with pytest.raises(ValueError, match="one width only"):
        Matryoshka(built(PairClasses()), (2,))


@pytest.mark.parametrize("config", [InBatch(), AllPairs(), CoSent(), TeacherSimilarities()])
def test_sums_are_wide(config):
    some = vectors(4, 2).detach().bfloat16()
    truth = Truth(4, SCORES[:4], teacher=some)
    assert built(config).loss(some, truth).sum.dtype == torch.float32
    assert SimpleNamespace(weight=built(config).weight(truth)).weight > 0
