"""Whether two texts mean the same, by a pair classifier that never saw what it judges."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from bertsmith.data import Record
from bertsmith.errors import UserError
from bertsmith.recipes.bundle import Bundle, load_bundle


@dataclass(frozen=True, slots=True)
class Judge:
    """A fine-tuned pair classifier, and which of its labels says that two texts mean the same."""

    bundle: Bundle
    label: int

    @classmethod
    def load(cls, source: str, *, label: str = "1") -> "Judge":
        """Load a classifier of pairs.

        Raises:
            UserError: there is none, it answers something else, or it has no such label.
        """
        bundle = load_bundle(source)
        if bundle.answers.name != "pair":
            raise UserError(
                f"{source} was trained for {bundle.answers.name}; a judge classifies pairs "
                "(bertsmith finetune --task pair)",
                code="wrong_task",
                where=source,
            )
        if label not in bundle.labels:
            raise UserError(
                f"{source} knows the labels {', '.join(bundle.labels)}, not {label!r}; say which of them means "
                "that two texts mean the same with --set judge_label=LABEL",
                code="unseen_label",
                where=source,
            )
        return cls(bundle, bundle.labels.index(label))

    def __call__(
        self, first: Sequence[str], second: Sequence[str], *, device: torch.device
    ) -> Float[np.ndarray, "pairs"]:
        """How likely each pair means the same."""
        if not first:
            return np.zeros(0, dtype=np.float32)
        records = [Record(one, other) for one, other in zip(first, second, strict=True)]
        values = self.bundle.outputs(self.bundle.prepare(records), device=device).values
        return np.asarray(values[:, self.label], dtype=np.float32)
