"""What a run tells those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bertsmith.training.groups import ParameterGroup


@dataclass(frozen=True, slots=True)
class Started:
    """Training begins, at update 0 or, resumed, later; after `evaluated_step` no evaluation was made."""

    step: int
    evaluated_step: int
    total_steps: int
    groups: tuple[ParameterGroup, ...]
    device: str
    dtype: str
    threads: int
    processes: int


@dataclass(frozen=True, slots=True)
class Updated:
    """One update was made; `step` counts from 1. `tokens` and `seconds` are those of this update alone."""

    step: int
    total_steps: int
    epoch: float
    loss: float
    losses: dict[str, float]
    lr: float
    grad_norm: float
    tokens: int
    seconds: float
    run_tokens: int
    run_seconds: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The model was measured after update `step`."""

    step: int
    epoch: float
    metrics: dict[str, float]
    is_best: bool
    run_seconds: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What the model counted over `updates` updates up to update `step`, as shares by name, all processes together."""

    step: int
    updates: int
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something the user should know."""

    text: str


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How a run went; the model holds the weights of `best_step`, or the last ones if nothing was selected."""

    steps: int
    epochs: float
    tokens: int
    seconds: float
    stopped_early: bool
    best_step: int | None
    best_metrics: dict[str, float] = field(default_factory=dict)
    last_metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come; `result` is None if the run was interrupted or failed."""

    result: TrainingResult | None


Event = Started | Updated | Counted | Evaluated | Noticed | Ended
Listener = Callable[[Event], None]
