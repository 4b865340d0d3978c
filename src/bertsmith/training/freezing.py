"""Which layers stay as they were pre-trained, and for how long."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from bertsmith.config import Config
from bertsmith.errors import UserError


class Bottom(Config):
    """The embeddings and the first `layers` layers never learn; `all` leaves only the head to learn.

    Their dropout stays on. It saves the way back through them and the optimizer's memory, and keeps
    what was pre-trained; with few texts, or a budget of seconds.
    """

    kind: Literal["bottom"] = "bottom"
    layers: NonNegativeInt | Literal["all"] = 0

    def from_epoch(self, depth: int, top_depth: int) -> int | None:
        """The epoch from which on a parameter at this depth learns; None: never."""
        highest = top_depth if self.layers == "all" else self.layers
        return None if depth <= highest else 0

    def require_fit(self, top_depth: int) -> None:
        """Make sure there are so many layers.

        Raises:
            UserError: there are fewer.
        """
        if self.layers != "all" and self.layers > top_depth:
            raise UserError(
                f"freeze.layers is {self.layers}, but this encoder has {top_depth} layers; "
                f"give {top_depth} or less, or all",
                code="bad_setting",
            )


class Gradual(Config):
    """The head learns alone in the first epoch, then every epoch `layers_per_epoch` more layers from the top.

    Gradual unfreezing (Howard & Ruder 2018, arXiv 1801.06146 §3.3) has one layer an epoch; with twelve
    layers and three epochs take more. The embeddings come after the first layer. Their dropout is on throughout.
    """

    kind: Literal["gradual"] = "gradual"
    layers_per_epoch: PositiveInt = 1

    def from_epoch(self, depth: int, top_depth: int) -> int:
        """The epoch from which on a parameter at this depth learns."""
        return -(-(top_depth + 1 - depth) // self.layers_per_epoch)

    def require_fit(self, top_depth: int) -> None:
        """It fits every encoder; layers whose epoch never comes stay as they are."""


Freezing = Annotated[Bottom | Gradual, Field(discriminator="kind")]
