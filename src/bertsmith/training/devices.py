"""Where a run computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from bertsmith.errors import UserError

DeviceName = Literal["auto", "cpu", "cuda"]


def resolve_device(name: DeviceName, *, local_rank: int = 0) -> torch.device:
    """The device meant by `--device`; under torchrun each process gets a GPU of its own.

    Raises:
        UserError: a GPU was asked for and there is none, or too few for the processes.
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not found):
        return torch.device("cpu")
    if not found:
        built = "this build of torch has no CUDA" if torch.version.cuda is None else "torch sees no GPU here"
        raise UserError(f"--device cuda: {built}; use --device cpu or auto", code="no_device")
    if local_rank >= found:
        raise UserError(
            f"process {local_rank + 1} on this machine has no GPU, there are {found}; "
            f"start {found} processes (--nproc-per-node {found}) or use --device cpu",
            code="no_device",
        )
    return torch.device("cuda", local_rank)


@contextmanager
def using_threads(number: int | None) -> Iterator[None]:
    """Compute with so many CPU threads inside the block; None leaves the number alone.

    One is best for small encoders: two gain a tenth on an idle machine, and where another program
    has one of the processors, each waits for the other in every operation, some forty times slower.
    """
    before = torch.get_num_threads()
    try:
        if number is not None:
            torch.set_num_threads(number)
        yield
    finally:
        torch.set_num_threads(before)
