"""What the processor can do, so that ways of computing are chosen by it and never by timing."""

from collections.abc import Mapping
from functools import cache

import torch


def bfloat16_instructions() -> str | None:
    """What lets the processor multiply in bfloat16; None: nothing does."""
    return next((name for name in ("amx_bf16", "avx512_bf16") if _capabilities().get(name)), None)


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies by weights packed beforehand: on x86, in bfloat16 where the processor does."""
    if _capabilities().get("architecture") != "x86_64" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bfloat16_instructions() is not None)


def _capabilities() -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return found
