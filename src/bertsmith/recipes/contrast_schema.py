"""A run that makes a sentence encoder, as a value: a method, its data and its settings, and what follows it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data import BatchPlan, ItemColumns
from bertsmith.encoder import Activations, AttentionPath
from bertsmith.encoder.config import Probability
from bertsmith.errors import UserError
from bertsmith.features import Features
from bertsmith.losses import AnyVectorLoss, InBatch, PairClasses
from bertsmith.pretraining.corruption import Corruption
from bertsmith.recipes.contrast_methods import FOR_NARROW_ENCODERS, FROM_RANDOM_WEIGHTS, METHODS
from bertsmith.recipes.schema import Start, is_narrow, merged, read_yaml
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

Examples = Literal["copies", "texts", "pairs", "scored", "labelled", "triplets", "groups"]
"""What an item is: a text twice, a text, a pair that means the same (perhaps with negatives), a pair with a number
or a label, an anchor with a positive and negatives, two texts of a group."""


class ContrastFiles(Config):
    """Where the texts come from.

    Without `dev`, the share `dev_share` of train is set aside, seeded; single texts have nothing to be
    measured by. `exclude`: files whose texts are left out of train, and counted. `sample`: at most so
    many items are learned from, drawn with the seed. Of pairs with a number, those from `positive_from`
    on mean the same, where a method learns from pairs or groups.
    """

    train: str = ""
    dev: str | None = None
    test: str | None = None
    columns: ItemColumns = ItemColumns()
    encoding: str = "utf-8"
    dev_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    exclude: tuple[str, ...] = ()
    sample: PositiveInt | None = None
    positive_from: float | None = None


class Dense(Config):
    """A dense layer on the pooled vector, as wide as that; with `kept: false` training alone sees it.

    SimCSE drops its layer after unsupervised training and keeps it after supervised (Gao et al. 2021
    §6.3); SimBERT's linear pooler is one without activation. It begins with the weights of the
    checkpoint's pooler where `from_pooler` says so and there is one, else with random ones.
    """

    activation: Literal["none", "tanh"] = "tanh"
    kept: bool = False
    from_pooler: bool = False


class Generation(Config):
    """The partner of a text is also written, word by word (SimBERT, Su 2020; UniLM, Dong et al. 2019).

    `noise` spoils what is read, not what is written, as RoFormer-Sim does (BART; Lewis et al. 2020).
    """

    weight: PositiveFloat = 1.0
    noise: Corruption | None = None


class Stage(Config):
    """One way to learn from one set of data.

    `method` is the name its defaults come from. `features` None: as the model itself says, if it is a
    sentence encoder, else the method's usual ones. `max_length` counts special tokens, of each text.
    `mask_alike`: equal texts and known positives of a batch are no negatives. `matryoshka`: the loss
    also of the first so many dimensions. `dropout`: rate of the encoder's dropout.
    """

    method: str = "simcse"
    data: ContrastFiles = ContrastFiles()
    examples: Examples = "copies"
    features: Features | None = None
    head: Dense | None = None
    loss: AnyVectorLoss = InBatch()
    mask_alike: bool = True
    generation: Generation | None = None
    matryoshka: tuple[PositiveInt, ...] = ()
    teacher: str | None = None
    max_length: PositiveInt | None = None
    dropout: Probability | None = None
    batches: BatchPlan = BatchPlan(batch_size=64, window=1)
    optimizer: Optimizer = AdamW()
    freeze: Freezing | None = None
    averaging: Averaging | None = None
    budget: Budget = Budget(epochs=1)
    selection: Selection = Selection(metric="auto")

    @model_validator(mode="after")
    def _fits(self) -> "Stage":
        loss, roles = self.loss, 3 if self.examples == "triplets" else 1 if self.examples == "texts" else 2
        if loss.labelled != (self.examples in ("scored", "labelled")):
            raise ValueError(f"loss {loss.kind} does not fit examples {self.examples}: labels are there, or are not")
        if isinstance(loss, PairClasses) != (self.examples == "labelled"):
            raise ValueError(f"loss {loss.kind} does not fit examples {self.examples}; pair_classes reads labelled")
        if roles < loss.fewest_roles or (loss.most_roles is not None and roles > loss.most_roles):
            raise ValueError(f"loss {loss.kind} does not fit examples {self.examples}: too few or too many texts each")
        if loss.taught != (self.teacher is not None):
            raise ValueError(
                f"loss {loss.kind} needs a teacher: give --teacher (in a recipe: teacher), a sentence encoder"
                if loss.taught
                else f"loss {loss.kind} learns from no teacher; choose teacher_similarities, or leave teacher out"
            )
        if self.generation is not None and self.examples not in ("groups", "pairs"):
            raise ValueError(f"generation writes the partner of a text; examples {self.examples} have none")
        if self.matryoshka and isinstance(loss, PairClasses):
            raise ValueError("matryoshka does not fit pair_classes, whose linear map knows one width")
        return self


class ContrastRecipe(Stage):
    """From an encoder to a sentence encoder; stages in `then` go on with what the one before has made."""

    kind: Literal["contrast"] = "contrast"
    start: Start
    then: tuple[Stage, ...] = ()
    precision: Precision = "auto"
    activations: Activations = "kept"
    attention: AttentionPath = "auto"
    snapshot_every: PositiveInt = 200
    seed: NonNegativeInt = 0
    device: DeviceName = "auto"
    threads: PositiveInt | None = None
    """CPU threads to compute with; None: as many as torch likes."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages in their order."""
        own = {name: getattr(self, name) for name in Stage.model_fields}
        return (Stage(**own), *self.then)

    def training(self, stage: Stage, metric: str) -> TrainingConfig:
        """The part that the training loop reads; `metric` where the recipe leaves it open."""
        fields = {
            name: getattr(stage if name in Stage.model_fields else self, name) for name in TrainingConfig.model_fields
        }
        if stage.selection.metric == "auto":
            fields["selection"] = stage.selection.but(metric=metric)
        return TrainingConfig(**fields)


def contrast_recipe(
    *, method: str | None, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> ContrastRecipe:
    """Put a recipe together: the method's defaults, the YAML file, the options given, then `--set`.

    Raises:
        UserError: there is no such method, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    name = method or below.get("method")
    if method and method != below.get("method"):
        below = {key: value for key, value in below.items() if key in _OF_THE_RUN}
    if given.get("start"):
        below = merged(below, {"start": {"model": None, "encoder": None}})
    above = with_settings({"start": {}, **merged(below, given)}, settings)
    random = isinstance(above["start"], Mapping) and bool(above["start"].get("encoder"))
    usual = FOR_NARROW_ENCODERS if is_narrow(above["start"]) else {}
    chosen = merged(_defaults(name, FROM_RANDOM_WEIGHTS if random else usual), {**above, "method": name})
    then = [_stage(values, chosen, usual) for values in chosen.get("then") or ()]
    return parse_config(ContrastRecipe, {**chosen, "then": then}, where=str(file) if file else None)


_OF_THE_RUN = {"start", "data", *(set(ContrastRecipe.model_fields) - set(Stage.model_fields))}
"""What stays when another method is chosen than the file's."""


def _stage(values: Any, first: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """A later stage; it learns from the files of the first unless it names its own."""
    if isinstance(values, str):
        values = {"method": values}
    if not isinstance(values, Mapping):
        raise UserError(f"a stage of `then` holds fields and values, found {values!r:.60}", code="bad_setting")
    shared = {"data": {**first.get("data", {}), "sample": None}}
    return merged(merged(shared, _defaults(values.get("method"), usual)), dict(values))


def _defaults(method: Any, usual: Mapping[str, Any]) -> dict[str, Any]:
    if method not in METHODS:
        told = "give --method" if method is None else f"--method {method}: there is none"
        raise UserError(f"{told}; there are {', '.join(METHODS)}", code="bad_usage")
    return merged(METHODS[method].defaults, usual)
