"""The CRF: equal to brute force and to pytorch-crf, exact gradients, nothing forbidden ever happens or leaks."""

import functools
import itertools
import operator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from torchcrf import CRF

from bertsmith.batch import Layout
from bertsmith.losses import Crf, CrfCriterion, LabelFacts
from bertsmith.text.tags import SCHEMES

LENGTHS = (3, 1, 4, 2)


def criterion(tags=3, dtype=torch.float64, seed=0):
    made = CrfCriterion(tags).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    for parameter in made.parameters():
        parameter.data.normal_(generator=generator)
    return made


def of_scheme(name="BIO", types=("PER", "ORG"), seed=0):
    tags = SCHEMES[name].tags(types)
    made = Crf().build(LabelFacts.of(tags)).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in made.parameters():
        parameter.data.normal_(generator=generator)
    return made, tags


def case(tags=3, lengths=LENGTHS, seed=1, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    units = sum(lengths)
    scores = torch.randn(units, tags, dtype=torch.float64, generator=generator) * scale
    return scores, torch.randint(tags, (units,), generator=generator), Layout.of(lengths)


def path_score(crf, scores, path):
    total = crf.start[path[0]] + crf.end[path[-1]] + sum(scores[row, tag] for row, tag in enumerate(path))
    return total + sum(crf.steps[a, b] for a, b in itertools.pairwise(path))


def test_loss_probabilities_and_answer_equal_brute_force():
    crf = criterion()
    scores, targets, layout = case()
    loss, chances, answers = torch.zeros(()), [], []
    for part, truth in zip(scores.split(LENGTHS), targets.split(LENGTHS), strict=True):
        paths = list(itertools.product(range(3), repeat=len(part)))
        every = torch.stack([path_score(crf, part, path) for path in paths]).detach()
        loss = loss + every.logsumexp(0) - path_score(crf, part, truth.tolist()).detach()
        shares = every.softmax(0)
        chances.append(
            torch.tensor(
                [
                    [sum(s for s, p in zip(shares, paths, strict=True) if p[row] == tag) for tag in range(3)]
                    for row in range(len(part))
                ]
            )
        )
        answers += paths[int(every.argmax())]
    found = crf.loss(scores, targets, layout)
    assert_close(found.sum, loss, check_dtype=False)
    assert found.weight == sum(LENGTHS)
    assert_close(crf.probabilities(scores, layout), torch.cat(chances), check_dtype=False)
    assert crf.answer(scores, layout).tolist() == answers


def test_loss_gradient_and_answer_equal_pytorch_crf():
    crf, (scores, targets, layout) = criterion(5), case(5, (7, 2, 12, 1, 5))
    theirs = CRF(5, batch_first=True).double()
    theirs.start_transitions.data, theirs.end_transitions.data = crf.start.data, crf.end.data
    theirs.transitions.data = crf.steps.data
    mine_scores, their_scores = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    parts = torch.nn.utils.rnn.pad_sequence(their_scores.split(layout.lengths), batch_first=True)
    tags = torch.nn.utils.rnn.pad_sequence(targets.split(layout.lengths), batch_first=True)
    mask = torch.arange(12) < torch.tensor(layout.lengths)[:, None]
    expected = -theirs(parts, tags, mask=mask, reduction="sum")
    found = crf.loss(mine_scores, targets, layout).sum
    assert_close(found, expected)
    expected.backward()
    found.backward()
    assert_close(mine_scores.grad, their_scores.grad)
    for mine, other in (
        (crf.start, theirs.start_transitions),
        (crf.steps, theirs.transitions),
        (crf.end, theirs.end_transitions),
    ):
        assert_close(mine.grad, other.grad)
    assert crf.answer(scores, layout).tolist() == functools.reduce(operator.iadd, theirs.decode(parts, mask=mask), [])


def test_gradient_is_that_of_finite_differences():
    crf, tags = of_scheme("BIOES", ("PER",))
    scores, _, layout = case(len(tags), (4, 1))
    targets = torch.tensor([1, 2, 3, 0, 4])

    def loss(scores, *parameters):
        named = dict(zip(dict(crf.named_parameters()), parameters, strict=True))
        return torch.func.functional_call(
            _Loss(crf), {f"crf.{k}": v for k, v in named.items()}, (scores, targets, layout)
        )

    inputs = [scores.requires_grad_(), *(p.detach().clone().requires_grad_() for p in crf.parameters())]
    assert torch.autograd.gradcheck(loss, inputs)


class _Loss(torch.nn.Module):
    def __init__(self, crf):
        super().__init__()
        self.crf = crf

    def forward(self, scores, targets, layout):
        return self.crf.loss(scores, targets, layout).sum


@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "BILOU", "BMES"])
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_answers_never_break_the_scheme(scheme, seed, lengths):
    crf, tags = of_scheme(scheme, seed=seed)
    scores, _, layout = case(len(tags), lengths, seed, scale=1000.0)
    names = [tags[number] for number in crf.answer(scores, layout)]
    places = np.cumsum([0, *lengths])
    for start, end in itertools.pairwise(places):
        assert not list(SCHEMES[scheme].problems(names[start:end]))


def test_forbidden_steps_have_no_share_and_no_gradient():
    crf, tags = of_scheme()
    scores, _, layout = case(len(tags), (3, 2))
    targets = torch.tensor([1, 2, 0, 0, 3])
    before = crf.loss(scores, targets, layout)
    before.sum.backward()
    forbidden = ~crf.free_steps
    assert forbidden.any()
    assert (crf.steps.grad[forbidden] == 0).all()
    crf.steps.data[forbidden] = 1e6
    crf.start.data[~crf.free_start] = 1e6
    assert torch.equal(crf.loss(scores, targets, layout).sum, before.sum)
    chances = crf.probabilities(scores, layout)
    inside_first = [place for place, tag in enumerate(tags) if tag.startswith("I-")]
    assert (chances[[0, 3]][:, inside_first] == 0).all()
    assert_close(chances.sum(1), torch.ones(5, dtype=torch.float64))


def test_sequences_do_not_see_each_other():
    crf = criterion()
    scores, targets, layout = case()
    alone = [
        crf.loss(part, truth, Layout.of([len(part)])).sum
        for part, truth in zip(scores.split(LENGTHS), targets.split(LENGTHS), strict=True)
    ]
    assert_close(crf.loss(scores, targets, layout).sum, sum(alone))
    changed = scores.clone()
    changed[3:] = 77.0
    assert torch.equal(crf.probabilities(changed, layout)[:3], crf.probabilities(scores, layout)[:3])


def test_long_chains_stay_exact_in_float32():
    crf = criterion(9)
    scores, targets, layout = case(9, (2000, 1500), scale=5.0)
    exact = crf.loss(scores, targets, layout).sum
    chances = crf.probabilities(scores, layout)
    crf.float()
    assert_close(crf.loss(scores.float(), targets, layout).sum, exact.float(), rtol=1e-5, atol=0)
    assert_close(crf.probabilities(scores.float(), layout), chances.float(), rtol=0, atol=2e-5)


def test_bfloat16_scores_are_computed_in_float32():
    crf = criterion(dtype=torch.float32)
    scores, targets, layout = case()
    scores = scores.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = crf.loss(scores, targets, layout).sum
        chances = crf.probabilities(scores, layout)
    assert found.dtype == chances.dtype == torch.float32
    assert torch.equal(found, crf.loss(scores.float(), targets, layout).sum)


def test_empty_sequences_and_empty_batches():
    crf = criterion()
    scores, targets, _ = case()
    gaps = Layout.of([0, 3, 1, 0, 4, 2, 0])
    assert torch.equal(crf.loss(scores, targets, gaps).sum, crf.loss(scores, targets, Layout.of(LENGTHS)).sum)
    nothing = Layout.of([0, 0])
    assert crf.loss(scores[:0], targets[:0], nothing).sum == 0
    assert crf.answer(scores[:0], nothing).shape == (0,)
    assert crf.probabilities(scores[:0], nothing).shape == (0, 3)


def test_labels_that_are_no_tags_follow_each_other_freely():
    crf = Crf().build(LabelFacts.of(("NN", "VB", "O")))
    assert crf.free_steps.all()
    assert crf.free_start.all()
