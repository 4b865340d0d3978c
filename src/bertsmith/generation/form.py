"""How the next token is asked for: what an encoder that generates was trained to answer."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from bertsmith.config import Config


class Shifted(Config):
    """The state of the last token names the next one, as in SimBERT and bert4keras's UniLM: no [MASK] anywhere."""

    kind: Literal["shifted"] = "shifted"


class AppendedMask(Config):
    """A [MASK] behind what was read so far stands for the next token (UniLM v1, Dong et al. 2019 §2.5)."""

    kind: Literal["appended_mask"] = "appended_mask"


Form = Shifted | AppendedMask
AnyForm = Annotated[Form, Field(discriminator="kind")]
"""A form in a recipe."""

TrainedAs = Literal["simbert", "unilm"]
TRAINED_AS: dict[str, Form] = {"simbert": Shifted(), "unilm": AppendedMask()}
"""The form by the name of the training."""


class _Block(Config):
    form: AnyForm


def generation_block(form: Form) -> dict[str, Any]:
    """What stands under `bertsmith` in the config.json of an encoder that was trained left to right."""
    return {"generation": _Block(form=form).model_dump(mode="json")}


def form_in(config: Mapping[str, Any]) -> Form | None:
    """What a config.json says; None: it does not say that the encoder was trained left to right."""
    block = config.get("bertsmith")
    said = block.get("generation") if isinstance(block, Mapping) else None
    if said is None:
        return None
    try:
        return _Block.model_validate(said).form
    except ValidationError:
        return None
