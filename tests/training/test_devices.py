"""Device and precision are chosen by what is there."""

import pytest
import torch

from bertsmith.errors import UserError
from bertsmith.training import autocast, compute_dtype, resolve_device, using_threads

CPU = torch.device("cpu")


def pretend(monkeypatch, *, gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)


def test_auto_takes_a_gpu_if_there_is_one(monkeypatch):
    pretend(monkeypatch, gpus=0)
    assert resolve_device("auto") == CPU
    pretend(monkeypatch, gpus=2)
    assert resolve_device("auto") == torch.device("cuda", 0)
    assert resolve_device("auto", local_rank=1) == torch.device("cuda", 1)
    assert resolve_device("cpu") == CPU


def test_missing_gpu_is_said_with_a_way_out(monkeypatch):
    pretend(monkeypatch, gpus=0)
    with pytest.raises(UserError, match=r"--device cuda: .*; use --device cpu or auto") as caught:
        resolve_device("cuda")
    assert caught.value.code == "no_device"


def test_more_processes_than_gpus_is_said(monkeypatch):
    pretend(monkeypatch, gpus=2)
    with pytest.raises(UserError, match=r"process 3 on this machine has no GPU, there are 2; start 2 processes"):
        resolve_device("auto", local_rank=2)


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_f": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_precision_follows_the_cpu(monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert compute_dtype("auto", CPU) == dtype
    assert compute_dtype("float32", CPU) == torch.float32
    assert compute_dtype("bfloat16", CPU) == torch.bfloat16


def test_old_torch_without_capabilities_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert compute_dtype("auto", CPU) == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_decides_matrix_products_only(dtype):
    weight = torch.ones(3, 3)
    with autocast(dtype, CPU):
        assert (weight @ weight).dtype == dtype
        assert (weight + weight).dtype == torch.float32


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with using_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        with using_threads(None):
            assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
