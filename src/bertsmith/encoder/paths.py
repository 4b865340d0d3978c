"""Which kernel computes attention: by what the device, the dtype and the mask allow, never by timing.

So the same machine always takes the same way, and a run can be repeated. A way asked for by name is taken, or
refused with the reason; none is left silently for another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Literal, get_args

import torch

from bertsmith.encoder.masks import AttentionMask, Bidirectional, Causal
from bertsmith.errors import UserError

Path = Literal["explicit", "fused", "varlen", "flex"]
"""`explicit`: products written out, in buckets of similar length. `fused`: torch's scaled-dot-product attention in
such buckets. `varlen`: its Flash kernel on packed tokens. `flex`: its flex_attention on packed tokens."""

AttentionPath = Literal["auto", "explicit", "fused", "varlen", "flex"]
"""A path by name, or `auto`: the first that can do what is asked (`preferred`)."""

_LARGEST_HEAD = 256
_SMALLEST_FLEX_HEAD = 16
_TORCH = (2, 13)


@dataclass(frozen=True, slots=True)
class Need:
    """What a pass asks of attention: the dtype of queries and keys, the chance to drop, whether gradients follow."""

    device: torch.device
    dtype: torch.dtype
    head_size: int
    mask: AttentionMask
    dropout: float
    learning: bool


def chosen(asked: AttentionPath, need: Need) -> Path:
    """The path asked for, or the preferred one.

    Raises:
        UserError: the path asked for cannot do what the pass needs.
    """
    if asked == "auto":
        return preferred(need)
    reason = obstacle(asked, need)
    if reason is not None:
        raise UserError(
            f"attention={asked} is asked for, but {reason}; leave attention at auto (here: {preferred(need)})",
            code="bad_setting",
        )
    return asked


def preferred(need: Need) -> Path:
    """The first path that can.

    On the CPU, products written out are several times faster than the fused kernel forward and backward, and they
    draw the same dropout whether gradients are recorded or not; a pass without either takes the fused kernel on
    sequences of equal length. On a GPU: no rectangles where the kernel needs none, flex attention for the masks
    that only it knows without them, and else the fused kernel, which honours dropout.
    """
    if need.device.type == "cpu":
        return "explicit" if need.learning or need.dropout > 0.0 else "fused"
    order: tuple[Path, ...] = ("varlen",) if isinstance(need.mask, Bidirectional | Causal) else ("flex",)
    return next((path for path in order if obstacle(path, need) is None), "fused")


def obstacle(path: Path, need: Need) -> str | None:
    """Why a path cannot do what is asked; None: it can."""
    return _OBSTACLES[path](need)


def _explicit(need: Need) -> str | None:
    return None if need.device.type == "cpu" else "products written out are made for the CPU"


def _fused(need: Need) -> str | None:
    return None


def _varlen(need: Need) -> str | None:
    if need.dropout > 0.0:
        return _dropout("varlen", need)
    if not isinstance(need.mask, Bidirectional | Causal):
        return f"the varlen kernel knows no {need.mask.kind} mask"
    if need.dtype not in (torch.float16, torch.bfloat16):
        return f"the varlen kernel computes in half precision only, and this pass in {_name(need.dtype)} (precision)"
    if need.head_size > _LARGEST_HEAD:
        return f"the varlen kernel takes heads of at most {_LARGEST_HEAD}, and these have {need.head_size}"
    return missing_for_varlen(need.device)


def _flex(need: Need) -> str | None:
    if need.dropout > 0.0:
        return _dropout("flex", need)
    if need.head_size < _SMALLEST_FLEX_HEAD:
        return f"flex attention takes heads of at least {_SMALLEST_FLEX_HEAD}, and these have {need.head_size}"
    return missing_for_flex(need.device)


_OBSTACLES: dict[Path, Callable[[Need], str | None]] = {
    "explicit": _explicit,
    "fused": _fused,
    "varlen": _varlen,
    "flex": _flex,
}
assert tuple(_OBSTACLES) == get_args(Path)


@cache
def missing_for_varlen(device: torch.device) -> str | None:
    """What the device or torch lacks for the varlen kernel; None: nothing."""
    if (reason := _no_nvidia(device)) is not None:
        return reason
    if torch.cuda.get_device_capability(device) < (8, 0):
        return f"the varlen kernel needs a GPU of compute capability 8.0 (Ampere) or newer, and {device} is older"
    if not torch.backends.cuda.is_flash_attention_available():
        return "this build of torch has no Flash attention"
    return None


@cache
def missing_for_flex(device: torch.device) -> str | None:
    """What the device or torch lacks for flex attention; None: nothing."""
    if (reason := _no_nvidia(device)) is not None:
        return reason
    if torch.cuda.get_device_capability(device) < (7, 0):
        return f"flex attention needs a GPU of compute capability 7.0 (Volta) or newer, and {device} is older"
    if find_spec("triton") is None:
        return "flex attention is compiled with triton, which is not installed"
    return None


def _no_nvidia(device: torch.device) -> str | None:
    if device.type != "cuda" or torch.version.cuda is None:
        return f"it needs an NVIDIA GPU, and this pass runs on {device.type}"
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _TORCH:
        return f"it needs torch {'.'.join(map(str, _TORCH))} or newer, and this is {torch.__version__}"
    return None


def _dropout(path: Path, need: Need) -> str:
    return (
        f"the {path} kernel drops no attention probabilities, and the attention dropout is {need.dropout:g} "
        "(`start.dropout` sets another rate)"
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
