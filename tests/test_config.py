"""Configs: what may stay unsaid, and how a wrong value is told."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from bertsmith.config import Config, parse_config, with_settings
from bertsmith.errors import UserError


class Fixed(Config):
    kind: Literal["fixed"] = "fixed"
    size: Annotated[int, Field(gt=0)] = 1


class Growing(Config):
    kind: Literal["growing"] = "growing"
    rates: tuple[float, ...]


class Plan(Config):
    length: Annotated[Fixed | Growing, Field(discriminator="kind")] = Fixed()
    steps: tuple[Annotated[Fixed | Growing, Field(discriminator="kind")], ...] = ()
    every: int | Literal["epoch"] = 3
    widths: int | tuple[int, ...] = 1


def test_a_part_without_a_kind_is_of_the_default_one():
    assert parse_config(Plan, {"length": {"size": 5}}).length == Fixed(size=5)
    assert parse_config(Plan, {"length": {"kind": "growing", "rates": [1]}}).length == Growing(rates=(1.0,))
    assert parse_config(Plan, with_settings({}, ["length.size=7"])).length == Fixed(size=7)


def test_changes_are_checked():
    assert Plan().but(length=Growing(rates=())).length == Growing(rates=())
    with pytest.raises(ValueError, match="greater than 0"):
        Plan().but(length={"size": 0})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"length": {"size": 0}}, "  length.size: Input should be greater than 0 (got 0)"),
        ({"length": {"kind": "growing"}}, "  length.rates: Field required"),
        ({"length": {"kind": "growing", "rates": ["x"]}}, "  length.rates.0: Input should be a valid number"),
        ({"length": {"kind": "round"}}, "  length: Input tag 'round' found using 'kind'"),
        ({"steps": [{"kind": "fixed"}, {"kind": "fixed", "size": "x"}]}, "  steps.1.size: Input should be a valid int"),
        ({"every": "day"}, "  every: Input should be 'epoch' (got 'day')"),
        ({"widths": [1, "x"]}, "  widths.1: Input should be a valid integer"),
        ({"size": 1}, "  size: Extra inputs are not permitted (got 1)"),
    ],
)
def test_a_wrong_value_is_told_by_the_path_that_sets_it(values, told):
    with pytest.raises(UserError) as error:
        parse_config(Plan, values)
    assert told in str(error.value)
