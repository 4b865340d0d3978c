"""Texts that a pre-training run does not learn from."""

from collections.abc import Callable
from dataclasses import dataclass

from bertsmith.data.shards import ShardSet
from bertsmith.errors import UserError
from bertsmith.pretraining import PretrainBatch, PretrainUpdates, TokenCorpus
from bertsmith.recipes.pretraining_schema import PretrainRecipe

Build = Callable[[], PretrainBatch]


@dataclass(frozen=True, slots=True)
class Heldout:
    """Batches of texts nothing is learned from, always the same; or why there are none."""

    builds: tuple[Build, ...] = ()
    updates: PretrainUpdates | None = None
    documents: int = 0
    notes: tuple[str, ...] = ()


def heldout_texts(shards: ShardSet | None, corpus: TokenCorpus, recipe: PretrainRecipe) -> Heldout:
    """Take some batches of the held-out documents, spread over all stages."""
    if shards is None:
        return Heldout(notes=("no document of this small corpus is held out: only the training loss is measured",))
    aside = TokenCorpus(shards, corpus.tokenizer, corpus.similar)
    try:
        updates = PretrainUpdates(aside, recipe.objective, recipe.texts, seed=recipe.seed, total=1)
        number = updates.per_epoch(0)
    except UserError as error:
        why = f"the held-out documents are too few: {error.message}; only the training loss is measured"
        return Heldout(notes=(why,))
    updates.total = number
    wanted = max(1, recipe.heldout_texts // recipe.texts.batch_size)
    chosen = sorted({place * number // wanted for place in range(wanted)})
    builds = tuple(build for index in chosen for build in updates.update(0, index, at_least=1))
    return Heldout(builds, updates, documents=shards.documents)
