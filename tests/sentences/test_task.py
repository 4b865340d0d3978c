"""What a sentence encoder computes, as a value."""

import pytest
from pydantic import ValidationError

from bertsmith.errors import UserError
from bertsmith.features import NAMED_FEATURES, Average, Concat, Features
from bertsmith.sentences import POOLINGS, SentenceTask, features_named, pooling_name


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("cls", Features(pooling="cls")),
        ("P1", Features(pooling="cls")),
        ("p2", Features(pooling="pooler")),
        ("P3", Features(pooling="mean")),
        ("P4", Features(layers=Average(numbers=(1, -1)), pooling="mean")),
        ("First_Last_Avg", NAMED_FEATURES["first_last_avg"]),
        ("last-4-concat", Features(layers=Concat())),
        ("max", Features(pooling="max")),
    ],
)
def test_poolings_by_name(name, features):
    assert features_named(name) == features


def test_every_pooling_has_its_name_back():
    assert {name: pooling_name(features_named(name)) for name in POOLINGS} == {
        **{name: name for name in POOLINGS},
        "last-avg": "mean",
    }
    assert pooling_name(NAMED_FEATURES["last_4_max"]) == "last-4-max"
    assert pooling_name(Features(layers=Average(numbers=(2, 3)), pooling="max")) == "max of average (2, 3)"


def test_an_unknown_pooling_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="no pooling is called 'median'; choose cls, pooler, last-avg") as caught:
        features_named("median")
    assert caught.value.code == "unknown_pooling"


def test_tokens_are_no_sentence():
    with pytest.raises(ValidationError, match="a vector a text"):
        SentenceTask(features=Features(pooling="tokens"))


def test_prompts_by_name_by_side_and_of_ones_own():
    task = SentenceTask(prompts={"query": "q: ", "document": "d: ", "s2s": "s: "}, default_prompt="s2s")
    asked = {"query": "q: ", "passage": "d: ", "document": "d: ", "s2s": "s: ", None: "s: ", "": "", "own ": "own "}
    assert {name: task.prompt(name) for name in asked} == asked
    plain = SentenceTask()
    assert [plain.prompt(name) for name in (None, "query", "passage", "mine: ")] == ["", "", "", "mine: "]
    with pytest.raises(ValidationError, match="none of the prompts"):
        SentenceTask(default_prompt="query")
