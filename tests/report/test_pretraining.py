"""The page of a pre-training run."""

import re

import numpy as np
import pytest

from bertsmith.pretraining import OBJECTIVES, FillIn, Guess, in_words
from bertsmith.report import CorpusFacts, Notice, PretrainReport, Speed, courses, pretrain_page
from bertsmith.report.pretrained import counted_share

from .test_run_page import EVIL, Reader, sections

BARE = PretrainReport(
    title="t",
    objective="wwm",
    model="tiny",
    corpus=CorpusFacts(sources=("a.txt",), tokens=1, documents=1, shards=1, vocabulary=100),
)
LOSSES = ("masked_tokens", "span_boundary")


def log(updates=600, every=200, losses=LOSSES):
    for step in range(1, updates + 1):
        parts = {name: 7.0 - 4 * step / updates + place for place, name in enumerate(losses)}
        yield {"step": step, "loss": sum(parts.values()), "lr": 1e-3 * step / updates} | (
            {"losses": parts} if len(losses) > 1 else {}
        )
        if step % every == 0:
            shares = {"masked_accuracy": step / updates / 2, "boundary_accuracy": step / updates / 3}
            yield {"step": step, "evaluation": {"loss": sum(parts.values()), **parts, **shares}, "best": True}


def full_run(**changes):
    told = courses(list(log()), LOSSES)
    given = {
        "title": "spanbert: zh_mixed",
        "objective": "spanbert",
        "model": "tiny, random weights",
        "corpus": CorpusFacts(
            sources=("zh_mixed_part1.txt.xz", "zh_mixed_part2.txt.xz"),
            tokens=63_123_456,
            documents=98_765,
            shards=31,
            vocabulary=12_000,
            heldout_documents=987,
        ),
        "words": in_words(OBJECTIVES["spanbert"]),
        "setup": {"Seed": "7", "Texts an update": "256"},
        "notices": (Notice(level="info", what="the span boundary head is new"),),
        "heldout": {"loss": 6.5, "masked_tokens": 3.25, "masked_accuracy": 0.4321},
        "losses": told.losses,
        "shares": told.shares,
        "rate": told.rate,
        "fill_ins": (
            FillIn("我在北京吃了", "，真的还行", "锅", (Guess("锅", 0.75), Guess("鸡", 0.125))),
            FillIn("今天很", "。", "好", (Guess("冷", 0.5), Guess("好", 0.25))),
            FillIn("明天", "呢", None, (Guess("见", 0.4),)),
        ),
        "counts": {"mask": 800, "random": 100, "same": 100, "similar": 0, "degraded": 0},
        "speed": Speed(seconds=3725.0, tokens=9_000_000, updates=600),
        "command": ("bertsmith", "pretrain", "--objective", "spanbert"),
        "versions": {"torch": "2.13.0"},
        "recipe": "kind: pretrain\nname: spanbert\n",
    }
    return PretrainReport(**{**given, **changes})


@pytest.fixture(scope="module")
def page():
    return pretrain_page(full_run())


def test_everything_is_told(page):
    assert sections(page) == [
        *("notices", "story", "corpus", "learning", "fill-ins", "replacement", "speed", "rerun"),
    ]
    text = "".join(Reader(page).text)
    for told in (
        *("spanbert: zh_mixed", "On 987 held-out documents", "43.2 %", "3.250", "in spans of 1 to 10 (geometric, 0.2)"),
        *(
            "zh_mixed_part2.txt.xz",
            "63,123,456",
            "98,765",
            "12,000",
            "Texts an update",
            "the span boundary head is new",
        ),
        *("锅 75.0 % · 鸡 12.5 %", "Of 2 holes, the best guess is right in 1", "hidden by [MASK]", "80.0 %"),
        *("1 h 2 min", "2,416", "bertsmith pretrain --objective spanbert", "name: spanbert", "2.13.0"),
    ):
        assert told in text, told
    assert "a tenth" not in text


def test_the_page_is_well_formed_and_stands_alone(page):
    read = Reader(page)
    assert len(read.ids) == len(set(read.ids))
    assert all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert set(read.named) <= set(read.ids)
    assert len(read.images) == 5
    assert all(read.images)
    assert not re.search(r"@import|url\((?!#)|<link|<iframe", page)
    assert page == pretrain_page(full_run())


def test_sections_without_data_are_left_out():
    page = pretrain_page(BARE)
    assert sections(page) == ["story", "corpus"]
    assert "tile" not in page.partition("<main>")[0].partition("</style>")[2]
    Reader(page)


@pytest.mark.parametrize(
    "changes",
    [
        {"title": EVIL, "objective": EVIL, "model": EVIL},
        {"corpus": CorpusFacts(sources=(EVIL,), tokens=1, documents=1, shards=1, vocabulary=1)},
        {"words": {EVIL: EVIL}, "setup": {EVIL: EVIL}, "versions": {EVIL: EVIL}, "recipe": EVIL, "command": (EVIL,)},
        {"notices": (Notice(level="warning", what=EVIL, where=EVIL, fix=EVIL),)},
        {"fill_ins": (FillIn(EVIL, EVIL, EVIL, (Guess(EVIL, 0.5),)),)},
    ],
    ids=["title", "corpus", "setup", "notices", "fill-ins"],
)
def test_nothing_from_users_becomes_markup(changes):
    page = pretrain_page(full_run(**changes))
    assert page.count("<script>") == 1
    assert "alert" in "".join(Reader(page).text)


def test_too_many_without_similar_word_are_pointed_out():
    counts = {"mask": 0, "random": 10, "same": 10, "similar": 60, "degraded": 20}
    assert "More than a tenth found no similar word" in pretrain_page(full_run(counts=counts))
    fewer = {**counts, "similar": 75, "degraded": 5}
    assert "More than a tenth" not in pretrain_page(full_run(counts=fewer))


def test_the_log_becomes_courses():
    told = courses(list(log()), LOSSES)
    assert [course.name for course in told.losses] == list(LOSSES)
    assert [course.name for course in told.shares] == ["masked_accuracy", "boundary_accuracy"]
    masked = told.losses[0]
    assert masked.values[[0, -1]] == pytest.approx([7 - 4 / 600, 3])
    assert np.array_equal(masked.heldout_steps, [200, 400, 600])
    assert np.array_equal(masked.heldout, masked.values[[199, 399, 599]])
    assert not len(told.shares[0].steps)
    assert told.rate is not None
    assert told.rate.values[-1] == pytest.approx(1e-3)
    assert courses([], LOSSES).losses == ()


def test_what_is_counted_in_training_has_a_curve():
    lines = [*log(), *({"step": step, "counted": {"masked_accuracy": step / 600}, "updates": 10} for step in (10, 20))]
    course = courses(lines, LOSSES).shares[0]
    assert course.name == "masked_accuracy"
    assert course.steps.tolist() == [10, 20]
    assert course.values == pytest.approx([1 / 60, 1 / 30])
    assert len(course.heldout_steps) == 3
    assert counted_share(
        [*lines, {"step": 22, "counted": {"masked_accuracy": 1.0}, "updates": 2}], "masked_accuracy"
    ) == (pytest.approx((10 / 60 + 10 / 30 + 2) / 22))
    assert counted_share(lines, "degraded_share") is None


def test_a_single_loss_is_logged_as_the_loss():
    (course,) = courses(list(log(losses=("masked_tokens",))), ("masked_tokens",)).losses
    assert len(course.steps) == 600
    assert len(course.heldout) == 3


@pytest.mark.parametrize("updates", [1, 3])
def test_short_runs_without_measures_have_curves_too(updates):
    told = courses(list(log(updates)), LOSSES)
    page = pretrain_page(full_run(losses=told.losses, shares=told.shares, rate=told.rate, heldout={}))
    assert "learning" in sections(page)
    assert "dots on held-out texts" not in page
    Reader(page)
