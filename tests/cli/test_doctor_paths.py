"""What doctor would say on a machine with a GPU."""

from types import SimpleNamespace

import pytest
import torch

from bertsmith.cli import doctor_paths
from bertsmith.encoder import paths

GPU = torch.device("cuda", 0)


@pytest.fixture
def told(monkeypatch):
    """The paths on a machine whose GPU lacks this."""

    def with_lack(lack: str | None):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: lack is None)
        monkeypatch.setattr(paths, "missing_for_varlen", lambda device: lack)
        monkeypatch.setattr(paths, "missing_for_flex", lambda device: lack)
        return SimpleNamespace(**doctor_paths.active_paths(GPU))

    return with_lack


def test_a_new_gpu(told):
    found = told(None)
    assert found.attention_inference["active"] == found.attention_training_no_dropout["active"] == "varlen"
    assert found.attention_prefix_lm["active"] == "flex"
    assert found.attention_training["active"] == "fused"
    assert "the attention dropout is 0.1" in found.attention_training["why"]
    assert "half precision only" in found.attention_inference_float32["why"]
    assert found.precision == {"active": "bfloat16", "why": "bfloat16 in the GPU"}
    assert found.losses_read["active"] == "every 16 updates"


def test_an_old_gpu(told):
    found = told("this GPU is older")
    assert found.attention_inference["active"] == found.attention_prefix_lm["active"] == "fused"
    assert "not flex: this GPU is older" in found.attention_prefix_lm["why"]
    assert found.precision["active"] == "float32"
