"""bertsmith from text to vector: all at once, as a stream, and as similarities of pairs."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bertsmith.metrics import spearman
from bertsmith.recipes import SentenceBundle, load_sentence_bundle
from harness.child import Watch
from harness.files import endless, texts
from harness.protocol import Ask, Job, Measure
from harness.vectors import measured

WARM = 16
Run = Callable[[Ask], Measure]


def prepare(job: Job) -> Run:
    """Load the model, and encode some texts before anything is measured."""
    bundle = load_sentence_bundle(
        job.files["model"],
        pooling="mean",
        normalize=True,
        max_length=job.options["max_length"],
        precision=job.way,
    )
    device = torch.device(job.device)
    return {"encode": at_once, "curve": streamed, "sts": similarities}[job.task](job, bundle, device)


def at_once(job: Job, bundle: SentenceBundle, device: torch.device) -> Run:
    """All vectors in one array."""
    given = texts(job.files["texts"])
    bundle.encode(given[:WARM], device=device)
    return measured(job, lambda _: bundle.encode(given, device=device).vectors)


def streamed(job: Job, bundle: SentenceBundle, device: torch.device) -> Run:
    """Vectors come and go; their tokens are counted."""
    bundle.encode(list(endless(job.files["texts"], WARM)), device=device)

    def run(ask: Ask) -> Measure:
        watch = Watch(job.device)
        parts = bundle.stream(endless(job.files["texts"], ask.setting["texts"]), device=device)
        tokens = sum(part.counts.tokens for part in parts)
        return watch.measure(tokens=tokens)

    return run


def similarities(job: Job, bundle: SentenceBundle, device: torch.device) -> Run:
    """Spearman of cosines against scores people gave."""
    pairs = json.loads(Path(job.files["pairs"]).read_text(encoding="utf-8"))
    sides = pairs["first"], pairs["second"]
    bundle.encode(sides[0][:WARM], device=device)

    def run(ask: Ask) -> Measure:
        watch = Watch(job.device)
        encoded = bundle.encode([*sides[0], *sides[1]], device=device).vectors
        watch.stop()
        if ask.keep:
            np.save(ask.keep, encoded)
        first, second = np.split(encoded, 2)
        found = spearman(bundle.compare(first, second), np.array(pairs["scores"]))
        return watch.measure(figures={"spearman": 100 * float(found)})

    return run
