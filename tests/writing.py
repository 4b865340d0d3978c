"""A folder with a tiny model that writes: random weights, the heads and words of a SimBERT."""

from pathlib import Path
from typing import Any

import torch

from bertsmith.encoder import save_checkpoint
from bertsmith.generation import Form, Shifted, generation_block

from .generation import samples

SHIFTED = Shifted()
NEAR = ["--set", "limits.source=16", "--set", "limits.target=8"]
"""A shorter source and target, as few positions need."""


def write_model(
    folder: Path, *, form: Form | None = SHIFTED, without: str | None = None, positions: int = 40, seed: int = 0
) -> Path:
    """`without` leaves a head out; `form` None says nothing of how it was trained."""
    tokens = samples.tokenizer(folder)
    made = samples.writer(tokens, Shifted(), spare=0, seed=seed)
    size = made.encoder.config.hidden_size
    random = torch.Generator().manual_seed(7)
    pooler = {"weight": torch.randn(size, size, generator=random), "bias": torch.randn(size, generator=random)}
    heads: dict[str, Any] = {"mlm": dict(made.head.state_dict()), "pooler": pooler}
    heads.pop(without or "", None)
    extras = {} if form is None else {"bertsmith": generation_block(form)}
    encoder = samples.small_encoder(tokens.vocab_size, seed=seed, positions=positions)
    tokens.save(folder)
    save_checkpoint(folder, encoder, family="bert", heads=heads, config_extras=extras)
    return folder
