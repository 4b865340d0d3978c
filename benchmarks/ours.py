"""A job done by bertsmith, through the recipe that `bertsmith finetune` runs."""

from bertsmith.recipes import FinetuneRecipe, finetune, finetune_recipe, make_splits
from jobs import Fit, Job

UNUSED_DEV = 32
"""Training texts that stand in for a development set where the last epoch is kept: measured, but deciding nothing."""


def recipe_of(job: Job) -> FinetuneRecipe:
    """The defaults of bertsmith, but for what a job says."""
    given = {
        "start": {"model": job.model},
        "document": {"keep": job.keep, "max_length": job.max_length},
        "batches": {"batch_size": job.batch_size},
        "optimizer": {
            "lr": job.lr,
            "weight_decay": job.weight_decay,
            "schedule": {"kind": "linear", "warmup": job.warmup},
        },
        "budget": {"epochs": job.epochs},
        "selection": {"keep": "best" if job.dev or job.set_aside else "last"},
        "data": {"dev_share": job.set_aside} if job.set_aside else {},
        "seed": job.seed,
        "device": "cpu",
    }
    return finetune_recipe(given=given, settings=job.settings)


def fit(job: Job) -> Fit:
    """Train and measure."""
    recipe = recipe_of(job)
    records = {"train": job.train.records("train"), "test": job.test.records("test")}
    if not job.set_aside:
        records["dev"] = job.dev.records("dev") if job.dev else records["train"][:UNUSED_DEV]
    result = finetune(recipe, make_splits(records, recipe))
    return Fit(
        accuracy=result.measured["test"].metrics["accuracy"],
        dev_accuracy=result.measured["dev"].metrics["accuracy"] if recipe.selection.keep == "best" else None,
    )
