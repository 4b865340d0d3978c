"""How similar texts are made, as a value; and what became of all that was written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, PositiveInt, field_validator

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.errors import UserError
from bertsmith.generation import AnyForm, Decoding, Limits, Sampling
from bertsmith.metrics import Distinct
from bertsmith.recipes.schema import merged, read_yaml
from bertsmith.training import DeviceName


class ParaphraseRecipe(Config):
    """How similar texts are made: SimBERT's own values (ZhuiyiTechnology/simbert, `gen_synonyms`) by default.

    `keep` is how many are given of each text, at most; `threshold` the least cosine. `form` says how the
    model is asked for the next token where its config.json does not; `pooling` replaces the vectors it is
    ranked by. `judge` is a pair classifier that says of each pair whether it means the same, which is the
    case where `judge_label` has a chance of one half or more; it judges one-character edits of the texts as well.
    """

    kind: Literal["paraphrase"] = "paraphrase"
    model: str
    form: AnyForm | None = None
    decoding: Decoding = Sampling()
    limits: Limits = Limits()
    keep: PositiveInt = 20
    threshold: Annotated[float, Field(ge=-1.0, le=1.0)] | None = None
    pooling: str | None = None
    judge: str | None = None
    judge_label: str = "1"
    seed: Annotated[int, Field(ge=0)] = 0
    device: DeviceName = "auto"

    @field_validator("judge_label", mode="before")
    @classmethod
    def _as_text(cls, label: Any) -> Any:
        if isinstance(label, bool):
            raise ValueError("yes, no, true and false mean something in YAML; put the label in quotes: '\"yes\"'")
        return str(label) if isinstance(label, int) else label


class Similar(NamedTuple):
    """A text that was written, the cosine of its vector and that of the text it was written of, and the chance
    that both mean the same, if a judge was asked."""

    text: str
    score: float
    equivalent: float | None = None


@dataclass(slots=True)
class Counted:
    """What became of all that was written."""

    texts: int = 0
    written: int = 0
    unfinished: int = 0
    """Did not end within `limits.target` tokens."""
    copies: int = 0
    """Were the text itself."""
    repeated: int = 0
    below_threshold: int = 0
    truncated_texts: int = 0
    truncated_tokens: int = 0
    unknown: int = 0
    """Texts of which the vocabulary knows nothing."""
    given: int = 0
    distinct_2: Distinct = field(default_factory=Distinct)
    """Of the texts given, by character."""
    equivalent: int = 0
    """Texts given that mean the same, if a judge was asked."""
    edits: int = 0
    """Texts with one edit that the judge was asked about."""
    equivalent_edits: int = 0

    @property
    def copy_rate(self) -> float:
        """The share of what was written that is the text itself."""
        return self.copies / self.written if self.written else float("nan")

    def judged(self) -> dict[str, float | int]:
        """The share of texts given, and of the same number of one-character edits, that mean the same."""
        return {
            "pairs": self.given,
            "equivalent": self.equivalent / self.given if self.given else float("nan"),
            "one_edit": self.equivalent_edits / self.edits if self.edits else float("nan"),
        }

    def notes(self, recipe: ParaphraseRecipe) -> tuple[str, ...]:
        """In words, what a user should know of."""
        told = []
        if self.truncated_texts:
            told.append(
                f"{self.truncated_texts:,} of {self.texts:,} texts are longer than {recipe.limits.source} tokens; "
                f"the beginning is read, {self.truncated_tokens:,} tokens are lost (limits.source)"
            )
        if self.unknown:
            told.append(
                f"{self.unknown:,} of {self.texts:,} texts have no token the vocabulary knows (emoji?); "
                "what is written about them says nothing"
            )
        if self.unfinished:
            kept = "are given as they are" if recipe.limits.keep_unfinished else "are left out"
            told.append(
                f"{self.unfinished:,} of {self.written:,} written texts did not end within {recipe.limits.target} "
                f"tokens and {kept} (limits.target)"
            )
        return tuple(told)


def paraphrase_recipe(
    *, given: Mapping[str, Any], file: Path | None = None, settings: Sequence[str] = ()
) -> ParaphraseRecipe:
    """Put a recipe together: defaults, then the YAML file, then the options given, then `--set`.

    Where more texts are wanted than are usually drawn (or than a beam is wide), five times as many are drawn.

    Raises:
        UserError: no model is named, a field is unknown, or a value does not fit.
    """
    below = read_yaml(file) if file else {}
    chosen = with_settings(merged(below, given), settings)
    if not chosen.get("model"):
        raise UserError("no model: give --model DIR", code="bad_usage")
    recipe = parse_config(ParaphraseRecipe, chosen, where=str(file) if file else None)
    return enough(recipe)


def enough(recipe: ParaphraseRecipe) -> ParaphraseRecipe:
    """With so many texts drawn that `keep` of them can be given, unless the recipe says how many."""
    decoding = recipe.decoding
    field, number = ("count", 5 * recipe.keep) if isinstance(decoding, Sampling) else ("width", recipe.keep)
    if field in decoding.model_fields_set or getattr(decoding, field) >= recipe.keep:
        return recipe
    return recipe.but(decoding=decoding.but(**{field: number}))
