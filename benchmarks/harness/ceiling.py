"""The most this machine was seen to do: matrix products of several shapes, the denominator of utilisation."""

import time
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor
from torch.nn import functional

from harness.child import Watch
from harness.protocol import Ask, Job, Measure

SHAPES = ((4096, 4096, 4096), (2048, 2048, 2048), (8192, 768, 3072), (8192, 384, 1536))
QUICK = ((512, 512, 512),)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Product = Callable[[Tensor], Tensor]


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """A round gives the best rate of each precision, in operations a second."""
    shapes, seconds = (QUICK, 0.02) if job.options["quick"] else (SHAPES, 0.5)

    def run(_: Ask) -> Measure:
        watch = Watch(job.device)
        found = {
            name: max(best_rate(shape, dtype, job.device, seconds) for shape in shapes)
            for name, dtype in DTYPES.items()
        }
        return watch.measure(figures=found)

    return run


def best_rate(shape: tuple[int, int, int], dtype: torch.dtype, device: str, seconds: float) -> float:
    """The fastest of some repetitions, of the plain product and of that with weights laid out beforehand."""
    rows, inner, columns = shape
    states, weight = (torch.randn(size, device=device).to(dtype) for size in ((rows, inner), (columns, inner)))
    with torch.inference_mode():
        fastest = min(shortest(product, states, seconds) for product in products(weight, rows))
    return 2 * rows * inner * columns / fastest


def products(weight: Tensor, rows: int) -> list[Product]:
    """The ways to multiply that this torch has."""
    found: list[Product] = [lambda states: functional.linear(states, weight)]
    with suppress(AttributeError, RuntimeError):
        laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        found.append(lambda states: torch.ops.mkldnn._linear_pointwise(states, laid_out, None, "none", [], ""))
        found[-1](torch.zeros(rows, weight.shape[1], dtype=weight.dtype))
        return found
    return found[:1]


def shortest(product: Product, states: Tensor, seconds: float) -> float:
    """The shortest time of one product, tried for so many seconds and at least three times."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        began = time.perf_counter()
        product(states)
        if states.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return min(times[1:])
