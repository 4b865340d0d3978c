"""Whitening: the formulas of the paper's code, in parts and at once, and what cannot be whitened."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from bertsmith.errors import UserError
from bertsmith.sentences import Whitening, WhiteningFit


def vectors(rows: int, width: int = 6, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(rows, width)) @ random.normal(size=(width, width)) + 5).astype(np.float32)


def fitted(*parts: np.ndarray, kept: int | None = None):
    fit = WhiteningFit()
    for part in parts:
        fit.add(part)
    return fit.numbers(kept)


def as_published(values: np.ndarray, kept: int | None = None) -> np.ndarray:
    """compute_kernel_bias and transform of bojone/BERT-whitening, without the norm."""
    mean = values.mean(axis=0, keepdims=True)
    u, s, _ = np.linalg.svd(np.cov(values.T))
    return (values - mean) @ (u @ np.diag(1 / np.sqrt(s)))[:, :kept]


@pytest.mark.parametrize("kept", [None, 3])
def test_as_in_the_papers_code(kept):
    values = vectors(50)
    ours, theirs = fitted(values, kept=kept)(values), as_published(values.astype(np.float64), kept)
    assert_close(torch.from_numpy(np.abs(ours)).double(), torch.from_numpy(np.abs(theirs)), atol=1e-4, rtol=1e-4)
    assert_close(torch.from_numpy(ours @ ours.T).double(), torch.from_numpy(theirs @ theirs.T), atol=1e-3, rtol=1e-3)


def test_whitened_vectors_have_mean_zero_and_covariance_one():
    values = vectors(200)
    white = fitted(values)(values)
    assert np.abs(white.mean(0)).max() < 1e-4
    assert np.abs(np.cov(white.T) - np.eye(6)).max() < 1e-3


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_parts_count_as_the_whole(sizes):
    values = vectors(30 + sum(sizes))
    cuts = np.cumsum([15, *sizes])
    apart, whole = fitted(*np.split(values, cuts)), fitted(values)
    assert np.allclose(apart.mean, whole.mean, atol=1e-5)
    assert np.allclose(apart.matrix, whole.matrix, rtol=1e-3, atol=1e-4)
    assert apart.vectors == len(values)


def test_the_module_computes_the_same():
    values = vectors(40)
    numbers = fitted(values, kept=4)
    module = Whitening(6, 4)
    module.set(numbers)
    assert_close(module(torch.from_numpy(values)), torch.from_numpy(numbers(values)))


def test_directions_without_variance_are_left_out():
    values = vectors(5)
    numbers = fitted(values)
    assert (numbers.rank, numbers.kept) == (4, 4)
    flat = np.concatenate([vectors(50, 3), np.zeros((50, 3), np.float32)], axis=1)
    assert fitted(flat).kept == 3
    with pytest.raises(UserError, match=r"whitening to 5 dimensions needs .* 5 texts differ in 4; keep 4 or fewer"):
        fitted(values, kept=5)


@pytest.mark.parametrize("values", [np.zeros((0, 6), np.float32), vectors(1), np.ones((9, 6), np.float32)])
def test_nothing_to_fit_on(values):
    with pytest.raises(UserError, match="whitening") as caught:
        fitted(values)
    assert caught.value.code == "whitening_rank"
