"""The methods by name: what each learns from and the settings of whoever proposed it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Method:
    """Defaults of a recipe, the usual pooling, and in a few words when to take it."""

    defaults: dict[str, Any]
    pooling: str
    words: str


def _linear(lr: float, *, warmup: float = 0.0, weight_decay: float = 0.0) -> dict[str, Any]:
    return {"lr": lr, "weight_decay": weight_decay, "schedule": {"kind": "linear", "warmup": warmup}}


def _constant(lr: float, *, weight_decay: float = 0.0) -> dict[str, Any]:
    return {"lr": lr, "weight_decay": weight_decay, "schedule": {"kind": "constant"}}


def _batches(size: int) -> dict[str, Any]:
    return {"batch_size": size, "window": 1}


METHODS: dict[str, Method] = {
    "simcse": Method(
        {
            "examples": "copies",
            "loss": {"kind": "in_batch", "temperature": 0.05},
            "head": {"activation": "tanh", "kept": False},
            "max_length": 32,
            "dropout": 0.1,
            "batches": _batches(64),
            "optimizer": _linear(3e-5),
            "budget": {"epochs": 1},
            "selection": {"every": 125, "metric": "auto"},
        },
        "cls",
        "single texts, nothing else (Gao et al. 2021, arXiv 2104.08821)",
    ),
    "simcse-su": Method(
        {
            "examples": "copies",
            "loss": {"kind": "all_pairs", "scale": 20.0},
            "max_length": 64,
            "dropout": 0.3,
            "data": {"sample": 10_000},
            "batches": _batches(64),
            "optimizer": _constant(1e-5),
            "budget": {"epochs": 1},
            "selection": {"metric": "auto"},
        },
        "cls",
        "single Chinese texts, with Su's loss and dropout (Su 2021, kexue.fm/archives/8348)",
    ),
    "simcse-supervised": Method(
        {
            "examples": "triplets",
            "loss": {"kind": "in_batch", "temperature": 0.05, "hard_negative_weight": 1.0},
            "head": {"activation": "tanh", "kept": True},
            "max_length": 32,
            "dropout": 0.1,
            "batches": _batches(512),
            "optimizer": _linear(5e-5),
            "budget": {"epochs": 3},
            "selection": {"every": 125, "metric": "auto"},
        },
        "cls",
        "triplets, such as those of natural language inference (Gao et al. 2021 §4)",
    ),
    "simbert": Method(
        {
            "examples": "groups",
            "loss": {"kind": "all_pairs", "scale": 30.0},
            "head": {"activation": "none", "kept": True, "from_pooler": True},
            "generation": {"weight": 1.0},
            "max_length": 32,
            "batches": _batches(64),
            "optimizer": _constant(2e-6, weight_decay=0.01),
            "budget": {"epochs": 3},
            "selection": {"metric": "auto", "keep": "last"},  # dev measures finding; writing learns on after it
        },
        "cls",
        "groups of similar sentences; the model also writes new ones (Su 2020, kexue.fm/archives/7427)",
    ),
    "cosent": Method(
        {
            "examples": "scored",
            "loss": {"kind": "cosent", "scale": 20.0},
            "max_length": 64,
            "batches": _batches(32),
            "optimizer": _constant(2e-5),
            "budget": {"epochs": 5},
            "selection": {"metric": "auto"},
        },
        "cls",
        "pairs with a number, or 0 and 1 (Su 2022, kexue.fm/archives/8847)",
    ),
    "sbert": Method(
        {
            "examples": "labelled",
            "loss": {"kind": "pair_classes"},
            "max_length": 128,
            "batches": _batches(16),
            "optimizer": _linear(2e-5, warmup=0.1, weight_decay=0.01),
            "budget": {"epochs": 1},
            "selection": {"every": 1000, "metric": "auto"},
        },
        "mean",
        "pairs with labels that have no order (Reimers & Gurevych 2019, arXiv 1908.10084)",
    ),
    "sbert-regression": Method(
        {
            "examples": "scored",
            "loss": {"kind": "cosine_regression"},
            "max_length": 128,
            "batches": _batches(16),
            "optimizer": _linear(2e-5, warmup=0.1, weight_decay=0.01),
            "budget": {"epochs": 4},
            "selection": {"metric": "auto"},
        },
        "mean",
        "pairs with a number that the cosine should equal (Reimers & Gurevych 2019 §3)",
    ),
    "triplet": Method(
        {
            "examples": "triplets",
            "loss": {"kind": "triplet", "margin": 1.0},
            "max_length": 128,
            "batches": _batches(16),
            "optimizer": _linear(2e-5, warmup=0.1, weight_decay=0.01),
            "budget": {"epochs": 1},
            "selection": {"every": 1000, "metric": "auto"},
        },
        "mean",
        "triplets whose negatives are the ones that matter (Reimers & Gurevych 2019 §3)",
    ),
    "ranking": Method(
        {
            "examples": "pairs",
            "loss": {"kind": "in_batch", "temperature": 0.05},
            "max_length": 128,
            "batches": _batches(64),
            "optimizer": _linear(2e-5, warmup=0.1, weight_decay=0.01),
            "budget": {"epochs": 1},
            "selection": {"every": 500, "metric": "auto"},
        },
        "mean",
        "questions with their answers, pairs or triplets: search (Henderson et al. 2017, arXiv 1705.00652)",
    ),
    "distill": Method(
        {
            "examples": "texts",
            "loss": {"kind": "teacher_similarities", "weight": 100.0},
            "max_length": 64,
            "batches": _batches(64),
            "optimizer": _linear(2e-5, warmup=0.1, weight_decay=0.01),
            "budget": {"epochs": 1},
            "selection": {"every": 500, "metric": "auto"},
        },
        "mean",
        "single texts and a better sentence encoder to learn from (Su 2021, kexue.fm/archives/8454)",
    ),
}
"""Values of the papers and of the authors' code; where these name none, those of Reimers & Gurevych 2019."""

FROM_RANDOM_WEIGHTS: dict[str, Any] = {"optimizer": {"lr": 1e-3}}
"""What replaces the defaults when nothing was pre-trained."""
FOR_NARROW_ENCODERS: dict[str, Any] = {"optimizer": {"lr": 2e-4}}
"""What replaces the defaults of every method for narrow checkpoints: the papers' rates are for wide ones (LOG.md)."""
