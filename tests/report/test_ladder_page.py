"""The page of a ladder."""

from dataclasses import replace

import pytest

from bertsmith.report.ladder import LadderReport, Measured, OptionRow, RungTold, ladder_page
from bertsmith.report.ladder_plots import Dot


def row(name, rung="rate", change=0.0, verdict="noise", **more):
    told = {"minutes": 1.5, "times": 1.0, "kept": False, "settings": "", "p": 0.4, **more}
    values = [0.8 + change, 0.82 + change]
    return OptionRow(
        rung=rung,
        name=name,
        values=values,
        mean=sum(values) / 2,
        std=0.014,
        change=change,
        interval=(change - 0.02, change + 0.02),
        verdict=verdict,
        **told,
    )


@pytest.fixture
def report():
    high = row("1e-4", change=0.05, verdict="pays", kept=True, settings="lr 0.0001")
    wild = row("4e-4", change=-0.5, verdict="hurts", stuck=2)
    baseline = row("baseline", "baseline", verdict="baseline")
    return LadderReport(
        title="Ladder: train.csv",
        about=["classification", "tiny"],
        metric="accuracy",
        seeds=2,
        level=0.05,
        baseline=baseline,
        rungs=[
            RungTold(name="rate", question="Which rate?", answer="1e-4 is kept.", options=[high, wild]),
            RungTold(
                name="decay", question="Decay?", answer="Nothing here is shown to pay.", options=[row("层", "decay")]
            ),
        ],
        kept=["rate: 1e-4"],
        final=high,
        on_test=(
            Measured(metrics={"accuracy": 0.8}, values=[0.79, 0.81]),
            Measured(metrics={"accuracy": 0.84}, values=[0.84, 0.84]),
        ),
        gain=(0.04, (0.01, 0.07), "pays"),
        skipped=[("truncation", "no training text is longer than 512 tokens")],
        sweeps={"optimizer.lr": [Dot(1e-4, [0.85, 0.87]), Dot(4e-4, [0.3, 0.32], stuck=2)]},
        curve=([Dot(10.0, [0.5, 0.6]), Dot(100.0, [0.8, 0.82])], [Dot(10.0, [0.6, 0.65]), Dot(100.0, [0.81, 0.83])]),
        notes=["the luck of that pre-training is not in the intervals"],
        command=["bertsmith", "ladder"],
        recipe="kind: ladder",
    )


def test_everything_is_told(report):
    page = ladder_page(report)
    for words in (
        *("What pays: ", "rate: 1e-4", "+4.0 points", "+1.0 to +7.0", "Every option", "Rung by rung", "Which rate?"),
        *("1e-4 is kept.", "2 of 2 runs did not converge", "over all 3 comparisons", "How many texts it needs"),
        *("further pre-trained", "What was left out", "no training text is longer than 512 tokens", "Beware"),
        *("option 3", "kind: ladder", "pays, kept"),
    ):
        assert words in page, words
    assert page.count("<svg") == 3
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_ladder_that_found_nothing(report):
    page = ladder_page(replace(report, kept=[], gain=None, sweeps={}, curve=([], []), skipped=[], notes=[]))
    assert "Nothing that was tried is shown to pay" in page
    assert "so there is no difference to test" in page
    assert page.count("<svg") == 1
    assert "On test, final recipe" not in page


def test_without_test_texts_and_options(report):
    page = ladder_page(replace(report, on_test=None, gain=None, rungs=[], sweeps={}, curve=([], [])))
    assert "There were no test texts" in page
    assert "<svg" not in page


def test_numbers_that_are_no_shares(report):
    page = ladder_page(replace(report, metric="spearman"))
    assert "+0.040" in page
    assert "points" not in page.partition("Every option")[0].partition("<h1")[2]
