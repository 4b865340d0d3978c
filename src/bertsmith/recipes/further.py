"""Further pre-training (Sun et al. 2019, arXiv 1905.05583 §5.4): its presets, and which objective fits a checkpoint."""

from typing import Any

from bertsmith.encoder.hub import resolve
from bertsmith.encoder.weights import read_json
from bertsmith.errors import UserError
from bertsmith.pretraining import OBJECTIVES

EPOCHS = {"within-task": 20, "in-domain": 10, "cross-domain": 5}
"""Passes over the corpus, by where it comes from: the task, its domain, other domains.

The paper makes 100,000 updates whatever the corpus, which is some fifty passes over IMDb and would be
thousands over a small task. So the passes are given, fewer the larger such a corpus usually is, and
the paper's updates are the most there will be.
"""

FITTING = {"electra": "electra", "roberta": "roberta", "xlm-roberta": "roberta", "camembert": "roberta"}
"""The objective of a checkpoint by its `model_type`; for all others whole words are hidden (wwm)."""


def preset_values(name: str) -> dict[str, Any]:
    """What a preset sets: 32 texts of 128 tokens an update, a peak rate of 5e-5 after a tenth of warm-up (§5.2).

    Raises:
        UserError: there is no such preset.
    """
    if name not in EPOCHS:
        raise UserError(f"--preset {name}: there is none; there are {', '.join(EPOCHS)}", code="bad_usage")
    return {
        "texts": {"batch_size": 32, "max_length": 128},
        "optimizer": {"lr": 5e-5, "schedule": {"kind": "linear", "warmup": 0.1}},
        "budget": {"epochs": EPOCHS[name], "max_steps": 100_000},
        "selection": {"every": "epoch"},
    }


def fitting_objective(model: str) -> str:
    """The objective nearest to how a checkpoint learned that any text can be arranged for.

    Pairs of sentences (bert, albert) are not asked for, since a task's texts often have only one.

    Raises:
        UserError: the checkpoint cannot be had, or is a tokenizer alone.
    """
    config = resolve(model) / "config.json"
    if not config.is_file():
        raise UserError(f"give --objective; there are {', '.join(OBJECTIVES)}", code="bad_usage")
    raw = read_json(config)
    return FITTING.get(str(raw.get("model_type")), "wwm")
