"""A pre-training run as a value: from scratch, or further from a checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data.corpus import Corpus
from bertsmith.data.formats import require_file
from bertsmith.encoder import Activations, AttentionPath
from bertsmith.errors import UserError
from bertsmith.pretraining import OBJECTIVES, Objective, TextPlan, TokenVectors
from bertsmith.recipes.further import fitting_objective, preset_values
from bertsmith.recipes.schema import Start, is_narrow, merged, read_yaml, require_corpus
from bertsmith.text import ChineseSegmenter, SegmenterConfig, Tokenizer
from bertsmith.text.entities import EntityLexicon
from bertsmith.text.similar import SimilarTokens, SimilarWords
from bertsmith.training import (
    AdamW,
    Averaging,
    Budget,
    DeviceName,
    Freezing,
    Optimizer,
    Precision,
    Selection,
    TrainingConfig,
)


class PretrainRecipe(Config):
    """Pre-training on raw text: from random weights (`start.encoder`) or further (`start.model`).

    `entities` are word lists of phrases and names, `similar` a table of similar words. `shards` is
    where the tokens of the corpus are kept; None: in the run's own folder until it is complete.
    `token_vectors` lets the token table of random weights begin as vectors learned by word2vec (needs gensim).
    `processes` make shards; `workers` corrupt the texts of the updates to come while this process
    computes (0: it does so itself), with the same outcome.
    Held-out texts are measured every `selection.every` updates, at most `heldout_texts` of them.
    """

    kind: Literal["pretrain"] = "pretrain"
    name: str = "roberta"
    objective: Objective
    start: Start
    corpus: Corpus
    words: SegmenterConfig = ChineseSegmenter()
    entities: tuple[Path, ...] = ()
    similar: Path | None = None
    shards: Path | None = None
    token_vectors: TokenVectors | None = None
    processes: PositiveInt = 1
    workers: NonNegativeInt = 0
    texts: TextPlan = TextPlan()
    heldout_texts: PositiveInt = 512
    optimizer: Optimizer = AdamW(lr=5e-5)
    freeze: Freezing | None = None
    averaging: Averaging | None = None
    budget: Budget = Budget(epochs=None, max_steps=1000)
    selection: Selection = Selection(every=200, metric="loss", better="lower", keep="last")
    precision: Precision = "auto"
    activations: Activations = "kept"
    attention: AttentionPath = "auto"
    snapshot_every: PositiveInt = 200
    seed: NonNegativeInt = 0
    device: DeviceName = "auto"
    threads: PositiveInt | None = None
    """CPU threads to compute with; None: as many as torch likes."""

    def lexicon(self) -> EntityLexicon | None:
        """The entries of `entities`.

        Raises:
            UserError: a file is missing or cannot be read.
        """
        for path in self.entities:
            require_file(path)
        return EntityLexicon.from_files(self.entities) if self.entities else None

    def similar_tokens(self, tokenizer: Tokenizer) -> SimilarTokens | None:
        """The words of `similar` as this tokenizer cuts them.

        Raises:
            UserError: the file is missing or cannot be read.
        """
        if self.similar is None:
            return None
        require_file(self.similar)
        return SimilarWords.from_file(self.similar).in_tokens(tokenizer)

    @model_validator(mode="after")
    def _only_random_weights(self) -> "PretrainRecipe":
        if self.token_vectors is not None and self.start.encoder is None:
            raise ValueError("token_vectors is for random weights (start.encoder); a checkpoint has learned its own")
        return self

    @property
    def training(self) -> TrainingConfig:
        """The part that the training loop reads."""
        return TrainingConfig(**{name: getattr(self, name) for name in TrainingConfig.model_fields})


FROM_SCRATCH: dict[str, Any] = {"optimizer": {"lr": 1e-3}}
"""What replaces the defaults when an encoder learns from random weights."""

FOR_NARROW_ENCODERS: dict[str, Any] = {"optimizer": {"lr": 5e-4}}
"""What replaces the defaults, those of a preset too, for narrow checkpoints: the paper's rate is for wide ones."""

DEFAULTS: dict[str, Any] = {
    "corpus": {"held_out_share": 0.01},
    "budget": {"epochs": None, "max_steps": 1000},
    "selection": {"every": 200, "metric": "loss", "better": "lower", "keep": "last"},
}
"""What a recipe starts from; setting one field of a part leaves the others as they are here."""


def pretrain_recipe(
    *,
    objective: str | None,
    given: Mapping[str, Any],
    file: Path | None = None,
    settings: Sequence[str] = (),
    preset: str | None = None,
) -> PretrainRecipe:
    """Put a recipe together: objective and preset, the YAML file, the options given, then `--set`.

    Without an objective, further pre-training takes the one that fits the checkpoint.

    Raises:
        UserError: there is no such objective or preset, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    defaults = merged(DEFAULTS, preset_values(preset) if preset else {})
    name = objective or below.get("name") or _fitting(merged(below, given))
    if objective and objective != below.get("name"):
        below = {key: value for key, value in below.items() if key != "objective"}
    if name not in OBJECTIVES:
        raise UserError(f"--objective {name}: there is none; there are {', '.join(OBJECTIVES)}", code="bad_usage")
    if given.get("start"):
        below = merged(below, {"start": {"model": None, "encoder": None}})
    defaults |= {"name": name, "objective": OBJECTIVES[name].model_dump()}

    def laid_over(usual: Mapping[str, Any]) -> dict[str, Any]:
        return with_settings(merged(merged(merged(usual, below), {"start": {}}), given), settings)

    said = laid_over(defaults)
    require_corpus(said)
    chosen = laid_over(merged(defaults, _usual_for_start(said["start"], preset)))
    return parse_config(PretrainRecipe, chosen, where=str(file) if file else None)


def _usual_for_start(start: Any, preset: str | None) -> Mapping[str, Any]:
    if isinstance(start, Mapping) and start.get("encoder"):
        _refuse_preset(preset)
        return FROM_SCRATCH
    return FOR_NARROW_ENCODERS if is_narrow(start) else {}


def _fitting(chosen: Mapping[str, Any]) -> str:
    start = chosen.get("start")
    model = start.get("model") if isinstance(start, Mapping) else None
    if model is None:
        raise UserError(f"give --objective; there are {', '.join(OBJECTIVES)}", code="bad_usage")
    return fitting_objective(str(model))


def _refuse_preset(preset: str | None) -> None:
    if preset is not None:
        raise UserError(
            f"--preset {preset} goes on from a checkpoint: give --model, not --encoder; its rate and its number of "
            "epochs are no good for random weights",
            code="bad_usage",
        )
