"""Which way attention goes: chosen by what can be done, taken by name, or refused with the reason."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from bertsmith.encoder import Bidirectional, Causal, Permutation, PrefixLM, RightToLeft, paths
from bertsmith.encoder.paths import Need, Path, chosen, obstacle, preferred
from bertsmith.errors import UserError
from tests.encoder.samples import batch_of, small_encoder

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
ON_CPU = Need(CPU, torch.float32, 64, Bidirectional(), dropout=0.0, learning=False)
ON_GPU = replace(ON_CPU, device=GPU, dtype=torch.bfloat16)


@pytest.fixture
def a_gpu(monkeypatch):
    """As on a machine with a new GPU, and all that torch can have for it."""
    monkeypatch.setattr(paths, "missing_for_varlen", lambda device: None)
    monkeypatch.setattr(paths, "missing_for_flex", lambda device: None)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, "fused"),
        ({"learning": True}, "explicit"),
        ({"dropout": 0.1}, "explicit"),
        ({"dtype": torch.bfloat16, "mask": PrefixLM()}, "fused"),
    ],
)
def test_on_the_cpu(changes, path):
    assert preferred(replace(ON_CPU, **changes)) == path


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, "varlen"),
        ({"mask": Causal(), "learning": True}, "varlen"),
        ({"dtype": torch.float16}, "varlen"),
        ({"dtype": torch.float32}, "fused"),
        ({"dropout": 0.1, "learning": True}, "fused"),
        ({"head_size": 264}, "fused"),
        ({"mask": PrefixLM()}, "flex"),
        ({"mask": RightToLeft(), "dtype": torch.float32}, "flex"),
        ({"mask": Permutation(), "learning": True}, "flex"),
        ({"mask": Permutation(), "dropout": 0.1}, "fused"),
        ({"mask": PrefixLM(), "head_size": 8}, "fused"),
    ],
)
def test_on_a_gpu(a_gpu, changes, path):
    assert preferred(replace(ON_GPU, **changes)) == path


def test_a_gpu_without_the_kernels_takes_the_fused_one(monkeypatch):
    monkeypatch.setattr(paths, "missing_for_varlen", lambda device: "an old GPU")
    monkeypatch.setattr(paths, "missing_for_flex", lambda device: "no triton")
    assert preferred(ON_GPU) == preferred(replace(ON_GPU, mask=PrefixLM())) == "fused"
    with pytest.raises(UserError, match="attention=flex is asked for, but no triton; leave attention at auto"):
        chosen("flex", ON_GPU)


@pytest.mark.parametrize(
    ("path", "changes", "reason"),
    [
        ("varlen", {"dropout": 0.1}, r"drops no attention probabilities, and the attention dropout is 0\.1 .*start\."),
        ("flex", {"dropout": 0.1}, "drops no attention probabilities"),
        ("varlen", {"dtype": torch.float32}, "half precision only, and this pass in float32"),
        ("varlen", {"mask": PrefixLM()}, "knows no prefix_lm mask"),
        ("varlen", {"head_size": 300}, "heads of at most 256, and these have 300"),
        ("flex", {"head_size": 15}, "heads of at least 16, and these have 15"),
        ("explicit", {}, "made for the CPU"),
    ],
)
def test_what_a_path_cannot_do_is_refused(a_gpu, path, changes, reason):
    with pytest.raises(UserError, match=reason):
        chosen(path, replace(ON_GPU, **changes))


@pytest.mark.parametrize("path", ["varlen", "flex"])
def test_kernels_for_gpus_are_refused_on_the_cpu(path):
    with pytest.raises(UserError, match=r"needs an NVIDIA GPU, and this pass runs on cpu; .*\(here: fused\)"):
        chosen(path, replace(ON_CPU, dtype=torch.bfloat16))


def test_a_path_by_name_is_taken():
    assert chosen("explicit", ON_CPU) == "explicit"
    assert chosen("fused", replace(ON_CPU, dropout=0.1)) == "fused"
    assert all(obstacle(path, ON_CPU) is None for path in get_args(Path)[:2])


@pytest.mark.parametrize("mode", [True, False], ids=["training", "inference"])
def test_both_paths_of_the_cpu_give_the_same_states(mode):
    encoder, batch = small_encoder(), batch_of((3, 9, 9, 5))
    states = []
    for path in ("explicit", "fused"):
        encoder.attention_path = path
        with torch.set_grad_enabled(mode):
            states.append(encoder(batch).last.detach())
    torch.testing.assert_close(*states)


def test_an_encoder_says_why_it_cannot():
    encoder = small_encoder()
    encoder.attention_path = "varlen"
    with pytest.raises(UserError, match="attention=varlen"):
        encoder(batch_of((3,)))
