"""Losses of vectors and classes: by hand, by the definition written out, and what they do not depend on."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from bertsmith.losses import ClassCosine, SupervisedContrast


def vectors(number: int, width: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(number, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def written_out(values: torch.Tensor, classes: list[int], temperature: float) -> float:
    """Khosla et al. 2020 eq. 2, term by term."""
    units = [row / row.norm() for row in values]
    total = 0.0
    for i, anchor in enumerate(units):
        positives = [p for p in range(len(units)) if p != i and classes[p] == classes[i]]
        below = sum(math.exp(float(anchor @ units[a]) / temperature) for a in range(len(units)) if a != i)
        for p in positives:
            total -= math.log(math.exp(float(anchor @ units[p]) / temperature) / below) / len(positives)
    return total


@settings(max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.floats(0.1, 2), st.integers(0, 99))
def test_supervised_contrast_is_equation_2(classes: list[int], temperature: float, seed: int):
    values = vectors(len(classes), seed=seed)
    found = SupervisedContrast(temperature=temperature).loss(values, torch.tensor(classes))
    assert float(found.sum) == pytest.approx(written_out(values, classes, temperature), rel=1e-9, abs=1e-9)
    assert float(found.weight) == sum(classes.count(one) > 1 for one in classes)


def test_supervised_contrast_by_hand():
    """Two texts of a class at one place, one of another class at a right angle: log(1 + 1/e) for each of the two."""
    values = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    found = SupervisedContrast(temperature=1.0).loss(values, torch.tensor([1, 1, 0]))
    assert_close(found.mean, torch.tensor(math.log(1 + math.exp(-1))))


def test_class_cosine_by_hand():
    """Partners at 45 degrees, the next pair's at 90 and -45 degrees."""
    values = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [0.0, -1.0]])
    found = ClassCosine().loss(values, torch.tensor([0, 0, 1, 1]))
    near = math.sqrt(0.5)
    # (first, partner): near against 1, -1 against 1; (first, next partner): 0 against 0, near against 0.
    assert float(found.sum) == pytest.approx((near - 1) ** 2 + 4 + 0 + near**2)
    assert float(found.weight) == 4


def test_a_next_pair_of_the_same_class_is_no_negative():
    same = torch.ones(4, 3)
    assert float(ClassCosine().loss(same, torch.tensor([2, 2, 2, 2])).sum) == pytest.approx(0)
    assert float(ClassCosine().loss(same, torch.tensor([2, 2, 1, 1])).sum) == pytest.approx(2)


@pytest.mark.parametrize("loss", [SupervisedContrast(), ClassCosine()], ids=lambda loss: loss.kind)
def test_gradients_are_finite_and_length_does_not_matter(loss: SupervisedContrast | ClassCosine):
    classes = torch.tensor([0, 0, 1, 1, 2, 3])
    values = vectors(6).requires_grad_()
    found = loss.loss(values, classes)
    found.sum.backward()
    assert values.grad is not None
    assert bool(values.grad.isfinite().all())
    assert float((values.grad * values.detach()).sum(1).abs().max()) < 1e-8
    assert_close(loss.loss(3 * values, classes).sum, found.sum)
    assert_close(loss.weight(classes), found.weight)
    torch.autograd.gradcheck(lambda some: loss.loss(some, classes).sum, values)


def test_bfloat16_is_summed_in_float32():
    values = vectors(4).to(torch.bfloat16)
    assert SupervisedContrast().loss(values, torch.tensor([0, 0, 1, 1])).sum.dtype == torch.float32


@pytest.mark.parametrize("loss", [SupervisedContrast(), ClassCosine()], ids=lambda loss: loss.kind)
def test_mixed_precision_leaves_cosines_exact(loss: SupervisedContrast | ClassCosine):
    values, classes = vectors(6).float(), torch.tensor([0, 0, 1, 1, 2, 2])
    exact = loss.loss(values, classes).sum
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss.loss(values, classes).sum
    assert torch.equal(found, exact)


def test_texts_of_classes_of_one_teach_nothing():
    found = SupervisedContrast().loss(vectors(3), torch.tensor([0, 1, 2]))
    assert (float(found.sum), float(found.weight)) == (0, 0)
