"""A model, data and a run small enough to repeat dozens of times; as a script, a run in a process of its own."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.errors import Interrupted
from bertsmith.training import (
    AdamW,
    Budget,
    Event,
    Linear,
    LogFile,
    Ranks,
    Selection,
    Snapshots,
    Surroundings,
    TrainingConfig,
    TrainingResult,
    Updated,
    joined_ranks,
    train,
)

VOCABULARY, WIDTH, LABELS, ITEMS, SIZE = 17, 8, 3, 22, 5
CONFIG = TrainingConfig(
    optimizer=AdamW(lr=0.01, head_lr=0.05, layer_decay=0.9, schedule=Linear(warmup=0.2)),
    budget=Budget(epochs=2),
    precision="float32",
    snapshot_every=2,
    seed=7,
)


@dataclass(frozen=True)
class ToyBatch:
    ids: Tensor
    targets: Tensor

    @property
    def num_tokens(self) -> int:
        return self.ids.numel()

    def to(self, device: torch.device) -> "ToyBatch":
        return replace(self, ids=self.ids.to(device), targets=self.targets.to(device))


class ToyModel(nn.Module):
    """Embeddings, two layers, a head; two losses with weights of their own."""

    loss_names = ("label", "evenness")
    top_depth = 2

    def __init__(self, *, dropout: float = 0.1) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embeddings = nn.Embedding(VOCABULARY, WIDTH)
            self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, LABELS)
            self.unused = nn.Linear(2, 2)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("label_weights", torch.tensor([1.0, 2.0, 0.5]))

    def scores(self, ids: Tensor) -> Tensor:
        hidden = self.embeddings(ids)
        for layer in self.layers:
            hidden = self.dropout(torch.relu(layer(hidden))) + hidden
        return self.head(self.norm(hidden).mean(1))

    def loss_weights(self, batch: ToyBatch) -> dict[str, Tensor]:
        return {"label": self.label_weights[batch.targets].sum(), "evenness": (batch.ids > 8).sum()}

    def forward(self, batch: ToyBatch) -> dict[str, Tensor]:
        scores = self.scores(batch.ids)
        label = F.cross_entropy(scores, batch.targets, weight=self.label_weights, reduction="sum")
        evenness = (scores.square().mean(1) * (batch.ids > 8).sum(1)).sum()
        return {"label": label, "evenness": 0.1 * evenness}

    def depth_of(self, parameter: str) -> int:
        part, _, rest = parameter.partition(".")
        return {"embeddings": 0, "norm": 2}.get(part, 3) if part != "layers" else int(rest[0]) + 1


class ToyUpdates:
    """`ITEMS` items in another order every epoch, `SIZE` an update, cut into about `parts` micro-batches."""

    def __init__(self, *, parts: int = 2) -> None:
        generator = torch.Generator().manual_seed(1)
        self.ids = torch.randint(VOCABULARY, (ITEMS, 5), generator=generator)
        self.targets = self.ids.sum(1) % LABELS
        self.parts = parts
        self.built = 0

    def per_epoch(self, epoch: int) -> int:
        return -(-ITEMS // SIZE)

    def update(self, epoch: int, index: int, *, at_least: int) -> Sequence[Callable[[], ToyBatch]]:
        order = torch.randperm(ITEMS, generator=torch.Generator().manual_seed(epoch))
        rows = order[index * SIZE : (index + 1) * SIZE]
        return [partial(self._batch, part) for part in rows.tensor_split(max(self.parts, at_least)) if len(part)]

    def _batch(self, rows: Tensor) -> ToyBatch:
        self.built += 1
        return ToyBatch(self.ids[rows], self.targets[rows])


def evaluation(model: ToyModel, updates: ToyUpdates) -> dict[str, float]:
    scores = model.scores(updates.ids)
    return {
        "accuracy": (scores.argmax(1) == updates.targets).float().mean().item(),
        "loss": F.cross_entropy(scores, updates.targets).item(),
    }


def toy_run(
    folder: Path,
    *,
    config: TrainingConfig = CONFIG,
    resume: bool = False,
    listeners: Sequence[Callable[[Event], None]] = (),
    dropout: float = 0.1,
    parts: int = 2,
    ranks: Ranks | None = None,
) -> tuple[dict[str, Tensor], TrainingResult]:
    """Train a fresh model with log and snapshots in `folder`; its weights and how it went."""
    model, updates = ToyModel(dropout=dropout), ToyUpdates(parts=parts)
    around = Surroundings(
        ranks=ranks or Ranks(),
        snapshots=Snapshots(folder / "checkpoints"),
        resume=resume,
        listeners=(LogFile(folder / "log.jsonl"), *listeners),
    )
    result = train(model, updates, config, around=around, evaluate=lambda: evaluation(model, updates))
    return {name: value.detach().clone() for name, value in model.state_dict().items()}, result


def log_lines(folder: Path) -> list[dict[str, object]]:
    """The log without what the clock says."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in lines]


def main(arguments: Sequence[str]) -> int:
    """FOLDER DROPOUT PARTS SNAPSHOT_EVERY [resume] [announce] [fail]: run and write weights.safetensors."""
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    folder, dropout, parts, every = Path(arguments[0]), float(arguments[1]), int(arguments[2]), int(arguments[3])

    def announce(event: Event) -> None:
        if isinstance(event, Updated) and "announce" in arguments:
            print(event.step, flush=True)
            sys.stdin.readline()
        if isinstance(event, Updated) and event.step == 5 and "fail" in arguments:
            raise RuntimeError("the leader fails")

    config = CONFIG.but(snapshot_every=every, selection=Selection(metric="loss", better="lower", every=3))
    try:
        with joined_ranks(torch.device("cpu"), timeout_minutes=1.0) as ranks:
            weights, _ = toy_run(
                folder,
                config=config,
                resume="resume" in arguments,
                listeners=[announce],
                dropout=dropout,
                parts=parts,
                ranks=ranks,
            )
    except Interrupted as stop:
        print(stop, flush=True)
        return 130
    except RuntimeError:
        time.sleep(1)
        raise
    if ranks.leads:
        save_file(weights, folder / "weights.safetensors")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
