"""Several processes as one run: who am I, and what do we know together. Alone, everything is the identity."""

import importlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from bertsmith.errors import UserError

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all: its number, how many there are, and the device they exchange tensors on."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def leads(self) -> bool:
        """Whether this process evaluates, logs and saves."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over processes, in place."""
        if self.world > 1:
            with _all_answer():
                distributed.all_reduce(values)
        return values

    def gathered(self, rows: Tensor, *, first: int, total: int) -> Tensor:
        """The rows of all processes, `total` of them; those of this one begin at row `first`."""
        if self.world == 1:
            return rows
        everyone = rows.new_zeros(total, *rows.shape[1:])
        everyone[first : first + len(rows)] = rows
        return self.sum(everyone)

    def any(self, *, flag: bool) -> bool:
        """Whether the flag is up anywhere."""
        return bool(self.sum(torch.tensor([float(flag)], device=self.device)).item()) if self.world > 1 else flag

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum gradients over processes; a parameter without one anywhere keeps none."""
        if self.world == 1:
            return
        listed = list(parameters)
        flags = torch.tensor([float(parameter.grad is not None) for parameter in listed], device=self.device)
        pieces = [torch.zeros_like(p) if p.grad is None else p.grad for p in listed]
        flat = self.sum(torch.cat([flags, *(piece.flatten() for piece in pieces)]))
        sums = flat[len(listed) :].split_with_sizes([piece.numel() for piece in pieces])
        for parameter, seen, total in zip(listed, flat[: len(listed)].tolist(), sums, strict=True):
            parameter.grad = total.view_as(parameter).clone() if seen else None

    def from_leader(self, value: Any) -> Any:
        """What the leader has, for everyone; JSON values only."""
        if self.world == 1:
            return value
        content = json.dumps(value).encode() if self.leads else b""
        size = self.sum(torch.tensor([len(content)], device=self.device))
        data = torch.zeros(int(size.item()), dtype=torch.uint8, device=self.device)
        if self.leads:
            data.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        with _all_answer():
            distributed.broadcast(data, src=0)
        return json.loads(bytes(data.tolist()))

    def copy_from_leader(self, tensors: Iterable[Tensor]) -> None:
        """Make the tensors equal to the leader's, in place."""
        if self.world > 1:
            with _all_answer():
                for tensor in tensors:
                    distributed.broadcast(tensor, src=0)


ALONE = Ranks()


def local_rank() -> int:
    """Number of this process on its machine, as torchrun and accelerate set it."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def is_leader() -> bool:
    """Whether this process is the one that writes, also before the processes have joined."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def joined_ranks(device: torch.device, *, timeout_minutes: float = 30.0) -> Iterator[Ranks]:
    """Join the processes torchrun started; without torchrun, be alone.

    The timeout bounds how long the others may evaluate or fail before this process gives up.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(device=device)
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    # Its functions take the group of the moment they are imported as a default; something of torch imports it in time.
    # After joining, that would keep the group and its threads alive beyond destroy_process_group, and a thread that
    # lets go of a tensor while Python ends aborts the process.
    importlib.import_module("torch.distributed.nn.functional")
    with _all_answer():
        distributed.init_process_group(backend, timeout=timedelta(minutes=timeout_minutes))
    try:
        yield Ranks(distributed.get_rank(), world, device)
    finally:
        distributed.destroy_process_group()


@contextmanager
def _all_answer() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        first_line = str(error).partition("\n")[0][:200]
        raise UserError(
            "another process of this run stopped or does not answer: its own message says why. "
            f"Start the same command with --resume. ({first_line})",
            code="process_lost",
        ) from error
