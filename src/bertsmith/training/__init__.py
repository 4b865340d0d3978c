"""The one training loop and its parts: optimizer, steps, snapshots, processes, devices, onlookers."""

from bertsmith.training.adversarial import Adversarial, Fgm, Pgd, adversarial
from bertsmith.training.averaging import Averaging, Ema, Swa
from bertsmith.training.config import Budget, Selection, TrainingConfig
from bertsmith.training.devices import DeviceName, resolve_device, using_threads
from bertsmith.training.events import (
    Counted,
    Ended,
    Evaluated,
    Event,
    Listener,
    Noticed,
    Started,
    TrainingResult,
    Updated,
)
from bertsmith.training.freezing import Bottom, Freezing, Gradual
from bertsmith.training.groups import ParameterGroup, group_table, parameter_groups
from bertsmith.training.joined import JoinedBatch, Joining, joined
from bertsmith.training.log import LogFile
from bertsmith.training.loop import Surroundings, train
from bertsmith.training.optimizer import AdamW, BertAdam, Lamb, Optimizer, OptimizerConfig
from bertsmith.training.precision import Precision, autocast, compute_dtype
from bertsmith.training.progress import ProgressBar, ProgressLines, progress_listener
from bertsmith.training.protocols import Build, Evaluate, MicroBatch, Trainable, Updates
from bertsmith.training.ranks import Ranks, is_leader, joined_ranks, local_rank
from bertsmith.training.schedule import (
    Constant,
    Cosine,
    CosineRestarts,
    Linear,
    Polynomial,
    Schedule,
    SlantedTriangular,
)
from bertsmith.training.selection import require_metric
from bertsmith.training.snapshots import Snapshots
from bertsmith.training.step import Step, plain

__all__ = [
    "AdamW",
    "Adversarial",
    "Averaging",
    "BertAdam",
    "Bottom",
    "Budget",
    "Build",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Counted",
    "DeviceName",
    "Ema",
    "Ended",
    "Evaluate",
    "Evaluated",
    "Event",
    "Fgm",
    "Freezing",
    "Gradual",
    "JoinedBatch",
    "Joining",
    "Lamb",
    "Linear",
    "Listener",
    "LogFile",
    "MicroBatch",
    "Noticed",
    "Optimizer",
    "OptimizerConfig",
    "ParameterGroup",
    "Pgd",
    "Polynomial",
    "Precision",
    "ProgressBar",
    "ProgressLines",
    "Ranks",
    "Schedule",
    "Selection",
    "SlantedTriangular",
    "Snapshots",
    "Started",
    "Step",
    "Surroundings",
    "Swa",
    "Trainable",
    "TrainingConfig",
    "TrainingResult",
    "Updated",
    "Updates",
    "adversarial",
    "autocast",
    "compute_dtype",
    "group_table",
    "is_leader",
    "joined",
    "joined_ranks",
    "local_rank",
    "parameter_groups",
    "plain",
    "progress_listener",
    "require_metric",
    "resolve_device",
    "train",
    "using_threads",
]
