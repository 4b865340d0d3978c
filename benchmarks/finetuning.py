"""Fine-tuning on real sets: bertsmith and transformers' Trainer do the same jobs, seed by seed."""

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import sets
from choices import Row, Setup
from fresh import in_fresh_process
from jobs import Fit, Job, Texts

MODULES = {"bertsmith": "ours", "Trainer": "trainer"}


def trec(setup: Setup) -> list[Row]:
    """TREC-6 questions, official test; the set has no dev, so all of train is used and the last epoch kept."""
    return compared({"TREC-6": trec_job(setup)}, setup)


def sst2(setup: Setup) -> list[Row]:
    """SST-2 sentences, official test; the epoch that is best on dev is kept."""
    return compared({"SST-2": sst2_job(setup)}, setup)


def imdb(setup: Setup) -> list[Row]:
    """Long reviews cut to 256 tokens, seeded samples of 1,500 to train and to test on; all three cuts by bertsmith."""
    size = setup.size(1500, quick=48)
    train = read(sets.IMDB, "train", setup).sample(size, seed=0)
    test = read(sets.IMDB, "test", setup).sample(size, seed=1)
    head = Job(str(setup.model), train, test, epochs=setup.size(3, quick=1), batch_size=16, max_length=256)
    rows = compared({"IMDb-5k, head": head}, setup)
    if "bertsmith" in setup.systems:
        others = {f"IMDb-5k, {keep}": replace(head, keep=keep) for keep in ("tail", "head_tail")}
        rows += compared(others, replace(setup, systems=("bertsmith",)))
    return rows


def thucnews(setup: Setup) -> list[Row]:
    """Chinese news titles from random weights: one 4 x 256 encoder with 8,000 characters and words, for both."""
    splits = {name: read(sets.THUCNEWS, name, setup) for name in ("train", "dev", "test")}
    with tempfile.TemporaryDirectory() as folder:
        in_fresh_process(save_random_encoder, splits["train"].texts, Path(folder))
        job = Job(folder, **splits, epochs=setup.size(6, quick=1), batch_size=64, lr=1e-3, max_length=64)
        job = replace(job, settings=("features.pooling=mean",))
        return compared({"THUCNews titles 45k, random weights": job}, setup)


def defaults(setup: Setup) -> list[Row]:
    """Our own choices side by side, on 1,500 texts: what is classified, the rate of the head, dev set aside or not."""
    jobs = {
        name: replace(job, train=job.train.sample(1500, seed=0))
        for name, job in {"TREC-6": trec_job(setup), "SST-2": sst2_job(setup)}.items()
    }
    trials = {
        f"{name}, {variant}": replace(job, settings=settings)
        for name, job in jobs.items()
        for variant, settings in VARIANTS.items()
    }
    trials["TREC-6, cls, best of 10 % set aside"] = replace(jobs["TREC-6"], set_aside=0.1)
    return compared(trials, replace(setup, systems=("bertsmith",)))


VARIANTS = {
    f"{pooling}, head x {factor}": (f"features.pooling={pooling}", f"optimizer.head_lr={factor * 5e-5}")
    for pooling in ("cls", "mean", "pooler")
    for factor in (1, 10)
}


def trec_job(setup: Setup) -> Job:
    """TREC-6 as both systems do it."""
    train, test = read(sets.TREC, "train", setup), read(sets.TREC, "test", setup)
    return Job(str(setup.model), train, test, epochs=setup.size(3, quick=1), max_length=128)


def sst2_job(setup: Setup) -> Job:
    """SST-2 as both systems do it."""
    splits = {name: read(sets.SST2, name, setup) for name in ("train", "dev", "test")}
    return Job(str(setup.model), **splits, epochs=setup.size(3, quick=1), max_length=128)


def read(data_set: sets.DataSet, split: str, setup: Setup) -> Texts:
    """A split of a set, or a little of it for a quick run."""
    assert setup.data is not None
    texts = data_set.read(setup.data, split)
    return texts.sample(256, seed=0) if setup.quick else texts


def compared(jobs: Mapping[str, Job], setup: Setup) -> list[Row]:
    """Every job by every system with every seed, the systems taking turns; one row for a job and a system."""
    rows = []
    for name, job in jobs.items():
        fits: dict[str, list[Fit]] = {system: [] for system in setup.systems}
        for seed in setup.seeds:
            for system in setup.systems:
                fits[system].append(in_fresh_process(fit, system, replace(job, seed=seed)))
                print(f"{name}, seed {seed}, {system}: {fits[system][-1]}", file=sys.stderr, flush=True)
        rows += [row_of(name, system, found, fits.get("bertsmith")) for system, found in fits.items()]
    return rows


def fit(system: str, job: Job) -> Fit:
    """Do a job; runs in a process of its own, into which only this system is imported."""
    module = import_module(MODULES[system])
    began, worked = time.perf_counter(), time.process_time()
    found: Fit = module.fit(job)
    return replace(found, seconds=time.perf_counter() - began, cpu_seconds=time.process_time() - worked)


def row_of(name: str, system: str, fits: list[Fit], ours: list[Fit] | None) -> Row:
    """Mean and spread of the test accuracy over seeds, median seconds, and how many times ours that is."""
    accuracies = [100 * found.accuracy for found in fits]
    return {
        "task": name,
        "system": system,
        "accuracy": round(statistics.mean(accuracies), 2),
        "std": round(statistics.stdev(accuracies), 2) if len(fits) > 1 else None,
        "each": " ".join(f"{accuracy:.2f}" for accuracy in accuracies),
        "seconds": round(median(fits, "seconds"), 1),
        "cpu s": round(median(fits, "cpu_seconds"), 1),
        "x ours": round(median(fits, "seconds") / median(ours, "seconds"), 2) if ours else None,
        "x ours, cpu": round(median(fits, "cpu_seconds") / median(ours, "cpu_seconds"), 2) if ours else None,
    }


def median(fits: list[Fit], name: str) -> float:
    """The middle one of a figure over seeds."""
    return statistics.median(getattr(found, name) for found in fits)


def save_random_encoder(texts: tuple[str, ...], folder: Path) -> None:
    """Make a checkpoint with random weights and a vocabulary of these texts."""
    from bertsmith.encoder import SHAPES, EncoderConfig, new_encoder
    from bertsmith.text import train_vocabulary

    tokenizer = train_vocabulary(texts, size=8000)
    tokenizer.save(folder)
    new_encoder(EncoderConfig(vocab_size=tokenizer.vocab_size, **SHAPES["mini"]), seed=0).save_pretrained(folder)
