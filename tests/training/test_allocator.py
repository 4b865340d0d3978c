"""Keeping freed memory is a request to one library, harmless to repeat."""

import platform
import sys

from bertsmith.training.allocator import keep_freed_memory


def test_glibc_agrees_and_others_are_left_alone():
    agreed = keep_freed_memory()
    assert agreed == (sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc")
    assert keep_freed_memory() == agreed
