"""Similar texts from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bertsmith.estimators.inputs import strings
from bertsmith.estimators.parameters import Parameters
from bertsmith.generation import Sampling
from bertsmith.recipes import (
    Counted,
    Judge,
    ParaphraseRecipe,
    Similar,
    WritingModel,
    load_writing_model,
    paraphrase,
    paraphrase_recipe,
)
from bertsmith.training import DeviceName, resolve_device


class Paraphraser(Parameters):
    """Writes texts that mean the same, with a model trained to (SimBERT, or UniLM).

    `model` is its folder (a bundled name, a hub id). What is None keeps SimBERT's own value: 100 samples from
    the 5 likeliest tokens. `settings` reach every field of the recipe: `["decoding.kind=beam",
    "decoding.width=8", "limits.target=64"]`.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        threshold: float | None = None,
        samples: int | None = None,
        settings: Sequence[str] = (),
        seed: int = 0,
        device: DeviceName = "auto",
    ) -> None:
        self.model = model
        self.threshold = threshold
        self.samples = samples
        self.settings = settings
        self.seed = seed
        self.device = device

    def recipe(self, n: int = 20) -> ParaphraseRecipe:
        """The recipe these parameters stand for.

        Raises:
            UserError: a parameter does not fit.
        """
        given: dict[str, Any] = {"model": str(self.model), "keep": n, "seed": self.seed, "device": self.device}
        if self.threshold is not None:
            given["threshold"] = self.threshold
        if self.samples is not None:
            given["decoding"] = Sampling(count=self.samples).model_dump()
        return paraphrase_recipe(given=given, settings=self.settings)

    def generate(self, texts: Any, n: int = 20) -> list[list[Similar]]:
        """Up to `n` similar texts of each, nearest first, each with its cosine.

        `counted_` tells what became of all that was written.

        Raises:
            UserError: the model cannot write, or a text is blank.
        """
        given = strings(texts)
        recipe = self.recipe(n)
        judge = None if recipe.judge is None else Judge.load(recipe.judge, label=recipe.judge_label)
        made = paraphrase(self._loaded(recipe), given, recipe, device=resolve_device(recipe.device), judge=judge)
        self.counted_: Counted = made.counted
        return [list(similar) for similar in made.similar]

    def _loaded(self, recipe: ParaphraseRecipe) -> WritingModel:
        """Load once for the same model and way of asking."""
        key = (recipe.model, recipe.form, recipe.pooling)
        if getattr(self, "_key", None) != key:
            self._writing = load_writing_model(recipe.model, form=recipe.form, pooling=recipe.pooling)
            self._key = key
        return self._writing
