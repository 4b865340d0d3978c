"""A fine-tuning run as a value: everything that decides its outcome, readable and writable as YAML."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.data import BatchPlan, Columns
from bertsmith.encoder import Activations, AttentionPath, FirstPositions
from bertsmith.encoder.config import Probability
from bertsmith.encoder.hub import resolve
from bertsmith.encoder.weights import read_json
from bertsmith.errors import UserError
from bertsmith.features import Features
from bertsmith.files import write_text
from bertsmith.finetuning import (
    AIMS,
    AnyAim,
    AskedDocument,
    Classification,
    Distill,
    Ngrams,
    RDrop,
    Truncate,
    WarmStart,
    require_comparable,
    require_fit,
)
from bertsmith.heads import AnyHead, Linear
from bertsmith.losses import AnyCriterion, CrossEntropy
from bertsmith.text import Level
from bertsmith.training import (
    AdamW,
    Adversarial,
    Averaging,
    Budget,
    DeviceName,
    Freezing,
    Optimizer,
    Precision,
    Selection,
    TrainingConfig,
)

C = TypeVar("C", bound=Config)


class DataFiles(Config):
    """Where the texts come from. Without `dev`, the share `dev_share` of train is set aside, seeded and stratified.

    Rows with the same value of `group_column` are never parted by that split.
    """

    train: str = ""
    dev: str | None = None
    test: str | None = None
    columns: Columns = Columns()
    encoding: str = "utf-8"
    dev_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    group_column: str | None = None


class Vocabulary(Config):
    """The vocabulary trained on the training texts when an encoder starts from random weights.

    `level` says whether Chinese is cut into characters, or into frequent words too (WoBERT); what is
    rarer than `min_frequency` is no entry.
    """

    size: PositiveInt = 8000
    min_frequency: PositiveInt = 2
    level: Level = "character"


class Start(Config):
    """Where the weights come from: a checkpoint (`model`), or random ones of a shape (`encoder`).

    `encoder` is `tiny`, `mini`, `small`, `base`, `large` or the path of a JSON file with the fields
    of an encoder. `dropout` replaces the hidden and attention dropout of the encoder. `positions` says what
    the position table of random weights begins as: sinusoids let the first tokens teach more (LOG.md).

    Of a checkpoint, `layers` takes the first so many layers only, as RBT3 does (Cui et al. 2021, arXiv
    1906.08101: faster, and a good student for `distill`); `reinit_top` gives the top so many layers,
    and the pooler, random weights again (Zhang et al. 2021, arXiv 2006.05987 §5: steadier on few texts);
    `stack` puts its layers so many times on each other, to go on pre-training deeper (Gong et al. 2019, ICML).
    """

    model: str | None = None
    encoder: str | None = None
    vocabulary: Vocabulary = Vocabulary()
    dropout: Probability | None = None
    positions: FirstPositions = "random"
    layers: PositiveInt | None = None
    stack: PositiveInt = 1
    reinit_top: NonNegativeInt = 0

    @model_validator(mode="after")
    def _one_of_two(self) -> "Start":
        if (self.model is None) == (self.encoder is None):
            raise ValueError("give either model (a checkpoint) or encoder (a shape, from random weights)")
        if self.encoder is not None and (self.layers is not None or self.reinit_top or self.stack > 1):
            raise ValueError(
                "layers, stack and reinit_top rebuild a checkpoint (model); a shape says its layers itself"
            )
        if self.model is not None and self.positions != "random":
            raise ValueError("positions is for random weights (encoder); a checkpoint (model) brings its own")
        return self


class FinetuneRecipe(Config):
    """Fine-tuning from files to a proven model.

    `task` is the name of a kind, or a kind with its own settings; some kinds have other defaults below.
    `calibrate` lets dev decide the temperature of the probabilities (Guo et al. 2017, arXiv 1706.04599).
    `activations: recomputed` needs less memory and more time, and gives the same model. `attention` names the kernel
    of attention; `auto` takes the first that can do what is asked, and a name is taken or refused with the reason.
    `ngrams` lets a linear model of runs of tokens answer beside the encoder, for one label a text or pair.
    """

    kind: Literal["finetune"] = "finetune"
    task: AnyAim = Classification()
    start: Start
    data: DataFiles = DataFiles()
    document: AskedDocument = Truncate()
    features: Features = Features()
    head: AnyHead = Linear()
    criterion: AnyCriterion = CrossEntropy()
    batches: BatchPlan = BatchPlan()
    optimizer: Optimizer = AdamW()
    freeze: Freezing | None = None
    averaging: Averaging | None = None
    budget: Budget = Budget()
    selection: Selection = Selection()
    adversarial: Adversarial | None = None
    r_drop: RDrop | None = None
    warm_start: WarmStart | None = None
    distill: Distill | None = None
    ngrams: Ngrams | None = None
    calibrate: bool = False
    precision: Precision = "auto"
    activations: Activations = "kept"
    attention: AttentionPath = "auto"
    snapshot_every: PositiveInt = 200
    seed: NonNegativeInt = 0
    device: DeviceName = "auto"
    threads: PositiveInt | None = None
    """CPU threads to compute with; None: as many as torch likes."""

    @model_validator(mode="before")
    @classmethod
    def _usual_for_the_task(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        rates = {"criterion.*": CRF_RATE} if is_crf(values) and not gives_rates(values) else {}
        usual = merged(usual_for(values.get("task")), {"optimizer": {"rates": rates}} if rates else {})
        return merged(usual, with_named_task(values))

    @model_validator(mode="after")
    def _fits(self) -> "FinetuneRecipe":
        require_fit(self.task, document=self.document, features=self.features, head=self.head, criterion=self.criterion)
        if self.r_drop is not None or self.distill is not None:
            require_comparable(self.criterion)
        if self.calibrate and not self.task.calibrates:
            raise ValueError(f"calibrate needs one label a text; task {self.task.kind} has no such probabilities")
        if self.ngrams is not None and not self.task.counts_ngrams:
            raise ValueError(
                f"ngrams answers a text or a pair with one label, which task {self.task.kind} does not; "
                "leave it out (ngrams=null)"
            )
        if self.warm_start is not None and (not self.task.calibrates or self.head.gathers):
            what = f"head {self.head.kind}" if self.task.calibrates else f"task {self.task.kind}"
            raise ValueError(
                f"warm_start needs one label and one vector a text, which {what} does not have; leave it out"
            )
        return self

    @property
    def training(self) -> TrainingConfig:
        """The part that the training loop reads."""
        names = TrainingConfig.model_fields.keys()
        return TrainingConfig(**{name: getattr(self, name) for name in names})


FROM_RANDOM_WEIGHTS: dict[str, Any] = {
    "features": {"pooling": "mean"},
    "optimizer": {"lr": 1e-3},
    "budget": {"epochs": 10},
}
"""What replaces the defaults when nothing was pre-trained: a higher rate, more epochs, and the mean of
all tokens, since [CLS] has not yet learned to gather anything."""

NARROW = 384
FOR_NARROW_ENCODERS: dict[str, Any] = {"features": {"pooling": "mean"}, "optimizer": {"lr": 3e-4}}
"""What replaces the defaults for checkpoints narrower than `NARROW`: rates of 5e-5 and less are for wide ones, these
learn best at ones around 3e-4 (Turc et al. 2019, arXiv 1908.08962; LOG.md)."""


CRF_RATE = 1e-2
"""The peak rate of a CRF where a recipe gives no rates by name: at an encoder's, its scores stay near zero."""


def is_crf(values: Mapping[str, Any]) -> bool:
    """Whether the criterion of a task, in a recipe not yet complete, is a CRF."""
    criterion = values.get("criterion")
    kind = criterion.get("kind") if isinstance(criterion, Mapping) else getattr(criterion, "kind", None)
    return kind == "crf"


def gives_rates(values: Mapping[str, Any]) -> bool:
    """Whether a recipe not yet complete says which rates go by name, were it none."""
    optimizer = values.get("optimizer", {})
    return "rates" in optimizer if isinstance(optimizer, Mapping) else True


def usual_for_start(start: Any) -> Mapping[str, Any]:
    """The defaults that are others for what a run starts from. That a checkpoint cannot be had is said on loading."""
    if isinstance(start, Mapping) and start.get("encoder"):
        return FROM_RANDOM_WEIGHTS
    return FOR_NARROW_ENCODERS if is_narrow(start) else {}


def usual_for_both(start: Any, task: Any) -> Mapping[str, Any]:
    """The defaults that start and task decide together: n-grams beside narrow encoders and random weights."""
    usual = usual_for_start(start)
    kind = task.get("kind") if isinstance(task, Mapping) else getattr(task, "kind", task or Classification().kind)
    return {**usual, "ngrams": {}} if usual and kind in AIMS and AIMS[kind].counts_ngrams else usual


def is_narrow(start: Any) -> bool:
    """Whether a run starts from a checkpoint narrower than `NARROW`."""
    width = None
    if isinstance(start, Mapping) and start.get("model"):
        with suppress(UserError):
            width = read_json(resolve(start["model"]) / "config.json").get("hidden_size")
    return isinstance(width, int) and width < NARROW


def with_named_task(values: Mapping[str, Any]) -> dict[str, Any]:
    """`task: pair` is short for `task: {kind: pair}`."""
    task = values.get("task")
    return {**values, "task": {"kind": task}} if isinstance(task, str) else dict(values)


def usual_for(task: Any) -> Mapping[str, Any]:
    """The defaults that are others for this kind of task."""
    kind = task.get("kind") if isinstance(task, Mapping) else getattr(task, "kind", task)
    return AIMS[kind].usual if kind in AIMS else {}


def finetune_recipe(
    *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> FinetuneRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    chosen = chosen_values(given=given, below=read_yaml(file) if file else {}, settings=settings)
    return recipe_of(chosen, where=str(file) if file else None)


def chosen_values(
    *, given: Mapping[str, Any], below: Mapping[str, Any], settings: Sequence[str] = ()
) -> dict[str, Any]:
    """What was chosen, without defaults: what a file says (`below`), then the options given, then `--set`."""
    lowest = with_named_task(below)
    if given.get("start"):
        lowest = merged(lowest, {"start": {"model": None, "encoder": None}})
    return with_settings({"start": {}, **merged(lowest, with_named_task(given))}, settings)


def recipe_of(chosen: Mapping[str, Any], *, where: str | None = None) -> FinetuneRecipe:
    """Complete what was chosen by the defaults that fit the task and the start.

    Raises:
        UserError: a field is unknown or its value does not fit.
    """
    task = chosen.get("task")
    usual = merged(usual_for_both(chosen["start"], task), usual_for(task))
    return parse_config(FinetuneRecipe, merged(usual, chosen), where=where)


def require_corpus(chosen: Mapping[str, Any]) -> None:
    """Make sure that a recipe names its raw text.

    Raises:
        UserError: it does not.
    """
    if isinstance(chosen["corpus"], Mapping) and not chosen["corpus"].get("paths"):
        raise UserError("no corpus: give --corpus FILE...", code="bad_usage")


def require_same_run(recipe: C, stored: C, *, where: Path) -> None:
    """Make sure a run goes on as it began; only what leaves the model as it is may change (`FREE`).

    Raises:
        UserError: names the fields that differ.
    """
    ours, theirs = (_flat(without_free(each).model_dump(mode="json")) for each in (recipe, stored))
    differ = [name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name)]
    if differ:
        told = ", ".join(f"{name} is {ours.get(name)!r} and was {theirs.get(name)!r}" for name in differ[:5])
        raise UserError(
            f"{where}: the run to go on with was begun with other settings: {told}; "
            "leave these options out, or start anew with --overwrite",
            code="other_run",
            where=str(where),
        )


FREE: dict[str, Any] = {"snapshot_every": 1, "processes": 1, "workers": 0, "shards": None}
"""Fields on which the model does not depend: how often it is saved, who prepares the texts, and where."""


def without_free(recipe: C) -> C:
    """The recipe with one and the same value in the fields the model does not depend on."""
    return recipe.but(**{name: value for name, value in FREE.items() if name in type(recipe).model_fields})


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` -> `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{path}{name}.") if isinstance(value, Mapping) else {f"{path}{name}": value}
    return flat


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one nested mapping over another; a part of another `kind` replaces the one below whole."""
    result = dict(below)
    for name, value in above.items():
        lower = result.get(name)
        if isinstance(value, Mapping) and isinstance(lower, Mapping) and _same_kind(lower, value):
            value = merged(lower, value)
        result[name] = value
    return result


def _same_kind(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return "kind" not in one or "kind" not in other or bool(one["kind"] == other["kind"])


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a recipe file.

    Raises:
        UserError: it is missing, is not YAML, or is not a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"cannot read the recipe {path}: {error.strerror}", code="missing_file", where=str(path)
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}", code="bad_recipe", where=str(path)) from None
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold fields and values, found {type(values).__name__}", code="bad_recipe")
    return values


def recipe_yaml(recipe: Config) -> str:
    """Write a recipe with every field, so that it still means the same when a default changes."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), allow_unicode=True, sort_keys=False)


def write_recipe(recipe: Config, path: Path) -> None:
    """Write `recipe.yaml`."""
    write_text(path, recipe_yaml(recipe))
