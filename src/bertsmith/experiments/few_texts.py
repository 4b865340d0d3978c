"""How good the final recipe is with fewer training texts, from the encoder as it was and after further pre-training.

Further pre-training helps most where labels are few: IMDb with 0.4 % of the training texts, error 17.26 → 9.23 %
(Sun et al. 2019, arXiv 1905.05583 §5.6). The encoder reads all training texts, their labels stay hidden.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bertsmith.data import stratified_split
from bertsmith.experiments.climbed import Attempt, Point
from bertsmith.experiments.laddering import FewTexts, LadderRecipe
from bertsmith.experiments.planning import Facts
from bertsmith.experiments.runner import TrialRunner
from bertsmith.experiments.trial import Trial
from bertsmith.recipes import FinetuneRecipe, Rows, Splits

ALL = 1.0


def costs(few: FewTexts, baseline: Attempt, splits: Splits, facts: Facts) -> Mapping[float, float]:
    """Seconds for every share, the cheapest first."""
    full = updates(baseline.recipe, len(splits.train.records))
    found = {share: facts.share(share, few.updates, of=full) for share in few.shares}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def curve(
    final: Attempt, further: Attempt | None, few: FewTexts, splits: Splits, runner: TrialRunner, recipe: LadderRecipe
) -> tuple[Point, ...]:
    """Train with every share of the texts; points whose runs did not all come to their end are left out."""
    starts = {False: recipe.base.start, **({} if further is None else {True: further.recipe.start})}
    seeds = [final.recipe.seed + place for place in range(recipe.ladder.seeds)]
    trials: list[Trial] = []
    where: list[tuple[float, int, bool]] = []
    for share in few.shares:
        for seed in seeds:
            name, texts = _store(splits, share, seed, runner)
            for known, start in starts.items():
                of = final.recipe.but(start=start, seed=seed)
                told = (
                    f"{share:.0%} of the texts, {'further pre-trained' if known else 'encoder as it was'}, seed {seed}"
                )
                trials.append(Trial(recipe=enough(of, texts, len(splits.train.records), few), splits=name, name=told))
                where.append((share, texts, known))
    outcomes = runner.run(trials)
    metric = final.recipe.selection.metric
    values: dict[tuple[float, bool], list[float]] = {}
    sizes: dict[tuple[float, bool], int] = {}
    for (share, texts, known), outcome in zip(where, outcomes, strict=True):
        sizes[share, known] = texts
        values.setdefault((share, known), []).extend([outcome.dev[metric]] if outcome.status == "done" else [])
    return tuple(
        Point(share, sizes[share, known], known, tuple(found))
        for (share, known), found in values.items()
        if len(found) == len(seeds)
    )


def enough(recipe: FinetuneRecipe, texts: int, of: int, few: FewTexts) -> FinetuneRecipe:
    """The recipe with so many epochs that few texts are learned, too."""
    whole = recipe.budget.epochs_of(recipe.batches.updates_of(of))
    if whole is None or texts == of:
        return recipe
    wanted = min(few.updates, updates(recipe, of))
    epochs = math.ceil(wanted / recipe.batches.updates_of(texts))
    return recipe.but(budget=recipe.budget.but(epochs=max(whole, epochs)))


def updates(recipe: FinetuneRecipe, texts: int) -> int:
    """Updates of a run with so many texts."""
    each, most = recipe.batches.updates_of(texts), recipe.budget.max_steps
    epochs = recipe.budget.epochs_of(each)
    made = math.inf if epochs is None else epochs * each
    return int(min(made, math.inf if most is None else most))


def _store(splits: Splits, share: float, seed: int, runner: TrialRunner) -> tuple[str, int]:
    """Keep a share of the training rows, drawn by this seed; every label of several texts is among them."""
    name, records = f"share-{share:g}-{seed}", splits.train.records
    if share < ALL:
        _, rows = stratified_split([record.label for record in records], share=share, seed=seed)
        records = tuple(records[row] for row in np.sort(rows))
    runner.add(name, replace(splits, train=Rows(records, f"{share:.0%} of {splits.train.source}"), test=None))
    return name, len(records)
