"""Keeping freed memory, and giving it back, are requests to one library, harmless to repeat."""

import platform
import sys

import pytest
import torch

from bertsmith.allocator import can_keep_freed_memory, give_back_freed_memory, keep_freed_memory

from .encoder.memory import resident


def test_glibc_agrees_and_others_are_left_alone():
    agreed = keep_freed_memory()
    assert agreed == (sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc")
    assert keep_freed_memory() == agreed


@pytest.mark.skipif(not can_keep_freed_memory(), reason="not glibc")
def test_what_was_freed_is_kept_until_it_is_given_back():
    keep_freed_memory()
    blocks = [torch.ones(1 << 18) for _ in range(200)]  # 1 MB each
    full = resident()
    del blocks
    kept = resident()
    give_back_freed_memory()
    assert full - kept < 20e6
    assert kept - resident() > 150e6
