"""bertsmith learns: a classifier, a tagger with CRF, a sentence encoder, an encoder from raw text.

What is timed begins with texts and a checkpoint, and ends with the last update; in pre-training it begins after some
updates, for making a vocabulary and shards is done once. Measuring on test texts is not timed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

from bertsmith.data import Record
from bertsmith.recipes import (
    FinetuneRecipe,
    contrast,
    contrast_recipe,
    finetune,
    finetune_recipe,
    make_splits,
    pretrain,
    pretrain_recipe,
    read_rows,
)
from bertsmith.training import Event, Updated
from harness.child import Watch
from harness.files import rows
from harness.protocol import Ask, Job, Measure

Run = Callable[[Ask], Measure]
STAND_IN = 32
"""Training texts that stand in for a development set: the last weights are kept, they decide nothing."""


def prepare(job: Job) -> Run:
    """A short training warms up."""
    makers = {"finetune": classifier, "tagging": tagger, "simcse": sentences, "pretrain": pretrained}
    return makers[job.task](job)


class End:
    """Stops the watch with every update, so that it stands at the last one; with `after`, it begins there."""

    def __init__(self, job: Job, *, after: int = 0) -> None:
        self.job, self.after = job, after
        self.watch = Watch(job.device)
        self.tokens = 0

    def __call__(self, event: Event) -> None:
        """Listen to the run."""
        if not isinstance(event, Updated):
            return
        if event.step == self.after:
            self.watch = Watch(self.job.device)
        elif event.step > self.after:
            self.tokens += event.tokens
            self.watch.stop()


def tuning(job: Job, **more: Any) -> FinetuneRecipe:
    """A recipe of what a case says; everything else as bertsmith has it, but for n-grams, which no peer has."""
    options = job.options
    given = {
        "start": {"model": job.files["model"]},
        "document": {"max_length": options["max_length"]},
        "batches": {"batch_size": options["batch_size"]},
        "optimizer": {"lr": options["lr"], "schedule": {"kind": "linear", "warmup": 0.1}},
        "budget": {"epochs": options["epochs"]},
        "selection": {"keep": "last"},
        "ngrams": None,
        "precision": job.way,
        "activations": options.get("activations", "kept"),
        "device": job.device,
    }
    return finetune_recipe(given={**given, **more})


def classifier(job: Job) -> Run:
    """One label a text, from the pooler."""
    recipe = tuning(job, features={"pooling": "pooler"})
    return measured(job, recipe, {name: labelled(job.files[name]) for name in ("train", "test")}, figure="accuracy")


def labelled(path: str) -> list[Record]:
    """The records of a file."""
    return [Record(row["text"], None, row["label"], where=f"{path}:{number}") for number, row in enumerate(rows(path))]


def tagger(job: Job) -> Run:
    """A tag a character, with a CRF."""
    recipe = tuning(job, task="tagging", criterion={"kind": "crf"})
    files = {name: Path(job.files[name]).with_suffix(".conll") for name in ("train", "test")}
    records = {
        name: list(read_rows(path, recipe.task, recipe.data.columns, encoding="utf-8").records)
        for name, path in files.items()
    }
    return measured(job, recipe, records, figure="f1")


def measured(job: Job, recipe: FinetuneRecipe, records: Mapping[str, list[Record]], *, figure: str) -> Run:
    """Rounds of fine-tuning, each with the seed of its number."""

    def trained(train: list[Record], test: list[Record], seed: int) -> tuple[End, Mapping[str, float]]:
        end = End(job)
        splits = {"train": train, "dev": train[:STAND_IN], "test": test}
        seeded = recipe.but(seed=seed)
        result = finetune(seeded, make_splits(splits, seeded), listeners=[end])
        return end, result.measured["test"].metrics

    few = records["train"][: 2 * recipe_batch(job)]
    trained(few, few[:8], seed=0)

    def run(ask: Ask) -> Measure:
        end, metrics = trained(records["train"], records["test"], ask.round)
        figures = {figure: 100 * metrics[figure]} if job.options["real"] else {}
        return end.watch.measure(figures=figures)

    return run


def recipe_batch(job: Job) -> int:
    """Texts of an update."""
    return int(job.options["batch_size"])


def sentences(job: Job) -> Run:
    """Unsupervised SimCSE: a text beside itself under another dropout, the others of the batch as negatives."""
    options = job.options
    given = {
        "start": {"model": job.files["model"]},
        "head": None,
        "features": {"pooling": "mean"},
        "loss": {"kind": "in_batch", "temperature": 0.05},
        "max_length": options["max_length"],
        "batches": {"batch_size": options["batch_size"]},
        "optimizer": {"lr": options["lr"], "schedule": {"kind": "linear", "warmup": 0.1}},
        "precision": job.way,
        "device": job.device,
    }
    everything = [row["text"] for row in rows(job.files["texts"])]

    def trained(texts: list[str], seed: int) -> End:
        path = Path(job.files["scratch"]) / "texts.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        recipe = contrast_recipe(method="simcse", given={**given, "data": {"train": str(path)}, "seed": seed})
        end = End(job)
        contrast(recipe, listeners=[end])
        return end

    trained(everything[: 2 * recipe_batch(job)], seed=0)
    return lambda ask: trained(everything, ask.round).watch.measure()


def pretrained(job: Job) -> Run:
    """Masked tokens, or replaced ones, in texts filled to their length."""
    options, scratch = job.options, Path(job.files["scratch"])
    total = options["warm"] + options["updates"]
    given = {
        "start": {"model": job.files["model"]},
        "corpus": {"paths": [job.files["corpus"]], "held_out_share": 0.0},
        "shards": str(scratch / "shards"),
        "texts": {"batch_size": options["batch_size"], "max_length": options["max_length"]},
        "objective": {"arrange": {"kind": "block"}},
        "optimizer": {"lr": options["lr"], "schedule": {"kind": "linear", "warmup": 0.1}},
        "budget": {"epochs": None, "max_steps": total},
        "snapshot_every": 10 * total,
        "precision": job.way,
        "device": job.device,
    }

    def run(ask: Ask) -> Measure:
        objective = {"mlm": "roberta"}.get(options["objective"], options["objective"])
        end = End(job, after=options["warm"])
        recipe = pretrain_recipe(objective=objective, given={**given, "seed": ask.round})
        pretrain(recipe, out=scratch / "out", listeners=[end])
        rmtree(scratch / "out", ignore_errors=True)
        return end.watch.measure(tokens=end.tokens)

    return run
