import math

import pytest

from harness.goals import Close, Flat, Limit, Ratio, Verdict, noise
from harness.rows import Row, rows_of
from harness.tables import results_table, verdicts_of, verdicts_table

from .recorded import case, entry, measure

PEER = "sentence-transformers"


def rows(ours: float, theirs: float | None) -> list[Row]:
    peer = entry(PEER, "bfloat16", missing="gone") if theirs is None else entry(PEER, "bfloat16", measure(theirs))
    return rows_of(case(entry("bertsmith", "bfloat16", measure(ours)), peer), {})


@pytest.mark.parametrize(("theirs", "found", "reached"), [(2.0, "2.00", True), (1.9, "1.90", False), (None, "", None)])
def test_ratio(theirs: float | None, found: str, reached: bool | None) -> None:
    verdict = Ratio("bfloat16", ((PEER, "bfloat16"),), must=2.0, moonshot=2.5).verdict(rows(1.0, theirs))
    assert (verdict.found, verdict.reached, verdict.must, verdict.moonshot) == (found, reached, "≥ 2", "≥ 2.5")


def test_ratio_takes_the_fastest_of_several_peers() -> None:
    found = rows_of(
        case(entry("bertsmith", "a", measure(1.0)), entry("x", "a", measure(4.0)), entry("y", "a", measure(3.0))), {}
    )
    assert Ratio("a", (("x", "a"), ("y", "a")), must=2).verdict(found).found == "3.00"


@pytest.mark.parametrize(("value", "reached"), [(0.9999, True), (0.99, False)])
def test_limit_from_below(value: float, reached: bool) -> None:
    found = rows_of(case(entry("bertsmith", "bfloat16", measure(1.0), figures={"smallest cosine": value})), {})
    assert Limit("bfloat16", "smallest cosine", at_least=0.9999).verdict(found).reached is reached


def test_limit_from_above_and_unknown() -> None:
    found = rows_of(case(entry("bertsmith", "command", measure(2.5))), {})
    assert Limit("command", "seconds", at_most=3).verdict(found).reached is True
    assert Limit("command", "ours s", at_most=3).verdict(found).reached is None


@pytest.mark.parametrize(("slow", "reached"), [(1.1, True), (1.2, False)])
def test_flat(slow: float, reached: bool) -> None:
    entries = [
        entry("bertsmith", "bfloat16", measure(seconds, tokens=1000), setting={"texts": n})
        for n, seconds in ((1, 1.0), (2, slow))
    ]
    verdict = Flat("bfloat16", "ns/token", must=0.15).verdict(rows_of(case(*entries, each=True), {}))
    assert verdict.reached is reached
    assert verdict.found == f"+{slow - 1:.1%}"


def accuracies(half: list[float], whole: list[float]) -> list[Row]:
    ways = {"bfloat16": half, "float32": whole}
    entries = [entry("bertsmith", way, *(measure(1.0, accuracy=v) for v in values)) for way, values in ways.items()]
    return rows_of(case(*entries), {})


def test_close_within_noise_of_seeds() -> None:
    goal = Close("accuracy", "bfloat16", "float32")
    assert goal.verdict(accuracies([90, 91, 92], [90.5, 91.5, 92.5])).reached is True
    assert goal.verdict(accuracies([80, 81, 82], [90, 91, 92])).reached is False
    assert goal.verdict(accuracies([99, 98, 99], [90, 91, 92])).reached is True  # better is no fault
    assert goal.verdict(accuracies([90], [91])).reached is None


def test_close_within_a_bound() -> None:
    goal = Close("accuracy", "bfloat16", "float32", within=0.1)
    assert goal.verdict(accuracies([90.05], [90])).reached is True
    assert goal.verdict(accuracies([90.2], [90])).reached is False


def test_noise_is_two_standard_errors() -> None:
    assert noise([1, 2, 3], [1, 2, 3]) == pytest.approx(2 * math.sqrt(1 / 3 + 1 / 3))
    assert math.isnan(noise([1], [1, 2]))


def test_table_says_ratio_goal_and_what_is_missing() -> None:
    from harness.cases import all_cases

    cases = {one.name: one for one in all_cases("bench")}
    found = [*rows(1.0, 3.0), *rows_of(case(entry("onnxruntime", "int8", missing="a | b")), {})]
    head, _, ours, peer, gone = results_table(found, cases).splitlines()
    assert head.count("|") == ours.count("|")
    assert "3.00 (sentence-transformers)" in ours
    assert "≥ 2 reached" in ours
    assert "reached" not in peer
    assert "missing: a \\| b" in gone
    verdicts = verdicts_of(found, cases)
    assert [each.word for each in verdicts] == ["reached", "not measured", "not measured", "not measured"]
    assert verdicts_table(verdicts).count("not measured") == 3


def test_words() -> None:
    assert [Verdict("", "", "", "", "", reached).word for reached in (True, False, None)] == [
        "reached",
        "missed",
        "not measured",
    ]
