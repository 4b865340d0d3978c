"""A loss that joins all items of an update: the gradient is that of the whole batch, in parts and across processes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from bertsmith.training import (
    AdamW,
    Budget,
    Joining,
    Ranks,
    Snapshots,
    Surroundings,
    Trainable,
    TrainingConfig,
    joined,
    joined_ranks,
    plain,
    train,
)

CPU = torch.device("cpu")
ITEMS, WIDTH = 12, 6


@dataclass(frozen=True)
class Numbers:
    """Items of two rows each."""

    parts: tuple[Tensor, ...]
    first: int
    items: int

    @property
    def num_tokens(self) -> int:
        return sum(part.numel() for part in self.parts)

    def to(self, device: torch.device) -> "Numbers":
        return replace(self, parts=tuple(part.to(device) for part in self.parts))


class Learner(nn.Module):
    """Two layers with dropout; a joined loss with weights of its own, and one that stays within a part."""

    loss_names = ("joined", "own")
    top_depth = 1

    def __init__(self, *, dropout: float = 0.3, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.one, self.two = nn.Linear(WIDTH, WIDTH, dtype=dtype), nn.Linear(WIDTH, WIDTH, dtype=dtype)
            self.scale = nn.Parameter(torch.tensor(3.0, dtype=dtype))
        self.dropout = nn.Dropout(dropout)
        self.held: list[int] = []

    def vectors(self, part: Tensor) -> Tensor:
        hidden = self.dropout(torch.relu(self.one(part)))
        return self.two(self.dropout(hidden)) + part

    def read(self, part: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        found = self.vectors(part)
        return found, {"own": found.square().sum()}

    def joined(self, vectors: Tensor, batch: Numbers) -> dict[str, Tensor]:
        rows, columns = F.normalize(vectors, dim=-1).unbind(1)
        return {"joined": F.cross_entropy(rows @ columns.T * self.scale, torch.arange(batch.items), reduction="sum")}

    def loss_weights(self, batch: Numbers) -> dict[str, Tensor]:
        own = sum(len(part) for part in batch.parts)
        return {"joined": torch.tensor(float(batch.items * (batch.first == 0))), "own": torch.tensor(float(own))}

    def forward(self, batch: Numbers) -> dict[str, Tensor]:
        read = [self.read(part) for part in batch.parts]
        sums = self.joined(torch.cat([vectors for vectors, _ in read]), batch)
        return {**sums, "own": torch.stack([own["own"] for _, own in read]).sum()}

    def depth_of(self, parameter: str) -> int:
        return 1


class NumberUpdates:
    """Two updates an epoch."""

    def __init__(self, *, parts: int = 3, dtype: torch.dtype = torch.float64) -> None:
        self.numbers = torch.randn(2 * ITEMS, 2, WIDTH, dtype=dtype, generator=torch.Generator().manual_seed(1))
        self.parts = parts

    def per_epoch(self, epoch: int) -> int:
        return 2

    def update(self, epoch: int, index: int, *, at_least: int) -> Sequence[partial[Numbers]]:
        rows = self.numbers[index * ITEMS : (index + 1) * ITEMS]
        firsts = [number * ITEMS // at_least for number in range(at_least + 1)]
        return [partial(self._batch, rows[first:last], first) for first, last in pairwise(firsts)]

    def _batch(self, rows: Tensor, first: int) -> Numbers:
        return Numbers(tuple(rows.tensor_split(self.parts)), first, ITEMS)


def gradients(step, *, parts: int, dtype: torch.dtype) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    model = Learner(dtype=dtype)
    (build,) = NumberUpdates(parts=parts, dtype=dtype).update(0, 0, at_least=1)
    torch.manual_seed(5)
    scales = {"joined": torch.tensor(1 / ITEMS), "own": torch.tensor(0.01)}
    sums = step(model, build(), scales)
    after = torch.rand(1)
    return {name: p.grad for name, p in model.named_parameters()}, {**sums, "after": after}


@pytest.mark.parametrize("parts", [1, 2, 5, 12])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_gradients_are_those_of_the_whole_batch_with_dropout(parts, dtype, close):
    expected, whole = gradients(plain(torch.float32, CPU), parts=parts, dtype=dtype)
    found, sums = gradients(joined(torch.float32, CPU), parts=parts, dtype=dtype)
    assert_close(found, expected, atol=close, rtol=close)
    assert_close(sums, whole, atol=close, rtol=close)


def test_only_one_part_is_held():
    """While a part is embedded, no other part has kept what its layers computed."""
    living: list[int] = []

    class Watched(Learner):
        def vectors(self, part: Tensor) -> Tensor:
            found = super().vectors(part)
            living.append(1)
            found.grad_fn.register_hook(lambda *_: None)
            return found

    model = Watched()
    (build,) = NumberUpdates(parts=4).update(0, 0, at_least=1)
    joined(torch.float32, CPU)(model, build(), {"joined": torch.tensor(1.0), "own": torch.tensor(1.0)})
    assert len(living) == 4 + 3  # the last part is embedded once, the others twice


def test_a_frozen_encoder_still_teaches_the_loss():
    model = Learner()
    for parameter in (*model.one.parameters(), *model.two.parameters()):
        parameter.requires_grad = False
    (build,) = NumberUpdates(parts=2).update(0, 0, at_least=1)
    joined(torch.float32, CPU)(model, build(), {"joined": torch.tensor(1.0), "own": torch.tensor(1.0)})
    assert model.scale.grad is not None
    assert model.one.weight.grad is None


def test_the_protocols_fit():
    (build,) = NumberUpdates().update(0, 0, at_least=1)
    assert isinstance(Learner(), Joining)
    assert isinstance(Learner(), Trainable)
    assert build().items == ITEMS


def test_alone_nothing_is_gathered():
    rows = torch.ones(3, 2)
    assert Ranks().gathered(rows, first=0, total=3) is rows


CONFIG = TrainingConfig(optimizer=AdamW(lr=0.01), budget=Budget(epochs=2), precision="float32", seed=3)


def run(folder: Path, ranks: Ranks, *, dropout: float) -> dict[str, Tensor]:
    model = Learner(dropout=dropout)
    around = Surroundings(ranks=ranks, snapshots=Snapshots(folder / "checkpoints"))
    train(model, NumberUpdates(parts=2), CONFIG, around=around, step=joined(torch.float32, CPU, ranks))
    return dict(model.state_dict())


@pytest.mark.distributed
def test_two_processes_learn_from_all_negatives_as_one_does(tmp_path):
    from safetensors.torch import load_file

    one = run(tmp_path / "one", Ranks(), dropout=0.0)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", __file__]
    done = subprocess.run(
        [*command, str(tmp_path / "two")],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert_close(load_file(tmp_path / "two" / "weights.safetensors"), one, atol=1e-9, rtol=1e-7)


def main(folder: Path) -> None:
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    with joined_ranks(CPU, timeout_minutes=1.0) as ranks:
        weights = run(folder, ranks, dropout=0.0)
    if ranks.leads:
        save_file(weights, folder / "weights.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
