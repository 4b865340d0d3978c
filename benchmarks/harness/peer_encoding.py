"""sentence-transformers from text to vector."""

from collections.abc import Callable

import numpy as np
import torch

from harness.files import texts
from harness.peers import needed
from harness.protocol import Ask, Job, Measure
from harness.vectors import measured

WARM = 16
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def prepare(job: Job) -> Callable[[Ask], Measure]:
    """Weights in the precision asked for, texts sorted by length as the package does it."""
    package = needed("sentence_transformers")
    model = package.SentenceTransformer(job.files["model"], device=job.device, model_kwargs={"dtype": DTYPES[job.way]})
    model.max_seq_length = job.options["max_length"]
    given = texts(job.files["texts"])

    def encoded(some: list[str], batch: int) -> np.ndarray:
        found = model.encode(some, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)

    encoded(given[:WARM], 32)

    return measured(job, lambda setting: encoded(given, setting["batch"]))
