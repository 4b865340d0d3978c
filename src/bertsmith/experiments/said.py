"""What the model of a trial says of every row of a split, kept for paired comparisons and ensembles."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from bertsmith.config import Config
from bertsmith.files import write_tensors
from bertsmith.finetuning import Answers, AnyAnswers, Outputs


class _Told(Config):
    answers: AnyAnswers


@dataclass(frozen=True, slots=True)
class Said:
    """The outputs for every row, in the order of the rows, and the answers object that reads them.

    `said.answers.metrics(said.outputs, said.answers.targets(records))` are the metrics of the trial.
    """

    answers: Answers
    outputs: Outputs


def write_said(said: Said, path: Path) -> None:
    """Write it as safetensors."""
    outputs = said.outputs
    arrays = {"values": outputs.values, "counts": outputs.counts, "best": outputs.best}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(each)) for name, each in arrays.items() if each is not None}
    told = _Told(answers=said.answers)
    write_tensors(path, tensors, metadata={"answers": told.model_dump_json()})


def read_said(path: Path) -> Said:
    """Read what `write_said` wrote."""
    with safe_open(path, framework="np") as file:
        arrays: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told = _Told.model_validate_json(file.metadata()["answers"])
    return Said(told.answers, Outputs(arrays["values"], arrays.get("counts"), arrays.get("best")))
