"""Which ways of computing are active on this machine, and why: the part of `bertsmith doctor` about speed."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from bertsmith.encoder.paths import Need

Finding = dict[str, str]
"""What is `active`, and `why`."""

HEAD_SIZE = 64


def active_paths(device: "torch.device") -> dict[str, Finding]:
    """Every choice that is made by what the machine can do; nothing is tried out, so it takes no time."""
    return {**_attention(device), **_linear(device), **_numbers(device), **_host(device)}


def _attention(device: "torch.device") -> dict[str, Finding]:
    from dataclasses import replace

    import torch

    from bertsmith.encoder import Bidirectional, PrefixLM
    from bertsmith.encoder.paths import Need
    from bertsmith.training import compute_dtype

    plain = Need(device, torch.float32, HEAD_SIZE, Bidirectional(), dropout=0.0, learning=False)
    half = replace(plain, dtype=compute_dtype("auto", device))
    learning = replace(half, learning=True)
    cases = {
        "attention_inference": half,
        "attention_inference_float32": plain,
        "attention_training": replace(learning, dropout=0.1),
        "attention_training_no_dropout": learning,
        "attention_prefix_lm": replace(learning, mask=PrefixLM()),
    }
    return {name: _finding(need) for name, need in cases.items()}


def _finding(need: "Need") -> Finding:
    from bertsmith.encoder.paths import obstacle, preferred

    path = preferred(need)
    if need.device.type == "cpu":
        why = {
            "explicit": "products written out, in buckets of similar length: the fastest on a CPU with gradients",
            "fused": "torch's scaled-dot-product attention on sequences of equal length: the fastest without gradients",
        }[path]
        return {"active": path, "why": why}
    reasons = [f"not {other}: {reason}" for other in ("varlen", "flex") if (reason := obstacle(other, need))]
    what = {
        "varlen": "the Flash kernel on packed tokens, no rectangles",
        "flex": "flex attention on packed tokens, compiled once",
    }
    return {"active": path, "why": what.get(path) or "; ".join(reasons)}


def _linear(device: "torch.device") -> dict[str, Finding]:
    import torch

    from bertsmith.encoder.processor import can_pack

    packed = [str(dtype).removeprefix("torch.") for dtype in (torch.float32, torch.bfloat16) if can_pack(dtype)]
    if device.type == "cpu" and packed:
        why = "oneDNN multiplies by weights laid out beforehand and applies GELU in the same go"
        return {"linear_inference": {"active": f"packed weights ({', '.join(packed)})", "why": why}}
    why = "made for CPUs" if device.type != "cpu" else "oneDNN packs on x86 alone"
    return {"linear_inference": {"active": "plain", "why": why}}


def _numbers(device: "torch.device") -> dict[str, Finding]:
    import torch

    from bertsmith.training import compute_dtype
    from bertsmith.training.precision import bfloat16_by
    from bertsmith.training.update import READ_EVERY

    by = bfloat16_by(device)
    dtype = str(compute_dtype("auto", device)).removeprefix("torch.")
    gpu = device.type == "cuda"
    return {
        "precision": {
            "active": dtype,
            "why": f"bfloat16 in {by}" if by else "no instructions for bfloat16 (amx_bf16, avx512_bf16), nor a GPU",
        },
        "float32_products": {
            "active": torch.get_float32_matmul_precision(),
            "why": "never TF32 in training; elsewhere as torch.set_float32_matmul_precision was called",
        },
        "optimizer": {
            "active": "fused AdamW",
            "why": "one kernel for all weights; lamb has no fused form",
        },
        "dropout": {
            "active": "torch's generator" if gpu else "16 random bits an element",
            "why": "the GPU draws it inside its kernels" if gpu else "a float an element costs several times as much",
        },
        "losses_read": {
            "active": f"every {READ_EVERY} updates" if gpu else "every update",
            "why": "so that the GPU does not wait for the host" if gpu else "reading costs nothing on a CPU",
        },
    }


def _host(device: "torch.device") -> dict[str, Finding]:
    import torch

    from bertsmith.allocator import can_keep_freed_memory

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS")
    keeps = device.type == "cpu" and can_keep_freed_memory()
    return {
        "threads": {
            "active": str(torch.get_num_threads()),
            "why": f"OMP_NUM_THREADS={asked}"
            if asked
            else f"torch takes what it finds; {usable} processors are usable",
        },
        "allocator": {
            "active": "freed memory is kept" if keeps else "as the system has it",
            "why": "glibc is told so when training on a CPU begins" if keeps else "no glibc, or training is on a GPU",
        },
        "tokenizer": {
            "active": "tokenizers (Rust), "
            + ("one thread" if os.environ.get("TOKENIZERS_PARALLELISM") == "false" else "all threads"),
            "why": "WordPiece, BPE and Unigram; TOKENIZERS_PARALLELISM=false makes it one thread",
        },
        "neighbours": _neighbours(),
    }


def _neighbours() -> Finding:
    if find_spec("faiss") is None:
        return {"active": "numpy, every vector compared", "why": "faiss is not installed (bertsmith[ann])"}
    return {"active": "faiss where the index asks for it, else numpy", "why": "faiss is installed"}
