import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from bertsmith.report import SECTIONS, Answers, Notice, RunReport, Section, Speed, Split, Truncation, run_page
from bertsmith.report.markup import paragraph

from .runs import curves, full_run, split

BARE = RunReport(title="t", task="classification", model="tiny", train_source="train.csv", train_texts=1)
VOID = {"meta", "hr", "br"}


class Reader(HTMLParser):
    """Checks nesting and gathers what the page points to."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.links, self.named, self.images, self.text = [], [], [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, name, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[key] for key in ("href", "src", "xlink:href") if key in given]
        self.named += [given["aria-labelledby"]] if "aria-labelledby" in given else []
        self.images += [given.get("aria-label")] if given.get("role") == "img" else []
        assert not [key for key in given if key.startswith("on")]
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.handle_starttag(name, attributes)
        self.open.pop()

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, text):
        self.text.append(text)


def sections(page):
    return re.findall(r'<section id="([^"]*)"', page)


@pytest.fixture(scope="module")
def page():
    return run_page(full_run())


def test_everything_the_issue_asks_for_is_told(page):
    assert sections(page) == [
        *("notices", "story", "learning", "labels", "confusion"),
        *("errors", "calibration", "lengths", "groups", "speed", "rerun"),
    ]
    text = "".join(Reader(page).text)
    for told in (
        *("客服问题 intents", "10 % of train.csv, stratified, seed 42", "95 % interval", "订单 物流", "test.csv:17"),
        *("head + tail", "412 texts (20.6 %)", "20,113 tokens", "bfloat16", "6,070", "870 MiB", "4.75e-05"),
        *("bertsmith finetune --task classification --train 'my data/train.csv' --seed 42", "layer 1.weight"),
        *("remove them from train.csv", "task: classification\nseed: 42", "2.13.0"),
    ):
        assert told in text


def test_the_page_is_well_formed_and_stands_alone(page):
    read = Reader(page)
    assert len(read.ids) == len(set(read.ids))
    assert all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert set(read.named) <= set(read.ids)
    assert len(read.images) == 5
    assert all(read.images)
    assert not re.search(r"@import|url\((?!#)|<link|<iframe", page)
    assert set(re.findall(r"https?://[^\"'\s<]*", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_only_the_script_of_the_page_may_run(page):
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in page


def test_the_same_run_gives_the_same_bytes(page):
    assert run_page(full_run()) == page


def test_dark_mode_reaches_the_plots(page):
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    colours = {colour for drawing in drawings for colour in re.findall(r"(?:fill|stroke): (#\w+)", drawing)}
    assert colours <= {"none"}
    assert all("var(--muted)" in drawing for drawing in drawings)


def test_sections_without_data_are_left_out():
    page = run_page(BARE)
    assert sections(page) == ["story"]
    assert "tile" not in page.partition("<main>")[0].partition("</style>")[2]


EVIL = "<script>alert('x')</script> \"quoted\" & more"


@pytest.mark.parametrize(
    "changes",
    [
        {"title": EVIL},
        {"model": EVIL, "task": EVIL, "train_source": EVIL},
        {"setup": {EVIL: EVIL}, "versions": {EVIL: EVIL}, "recipe": EVIL, "command": (EVIL,)},
        {"notices": (Notice(level="error", what=EVIL, where=EVIL, fix=EVIL),)},
        {"truncation": Truncation(strategy=EVIL, max_length=5, texts=1, tokens=1)},
        {"splits": (split(labels=(EVIL, "b"), texts=(EVIL,), skill=0, rows=90, pairs=True, source=EVIL),)},
    ],
    ids=["title", "origin", "setup", "notices", "truncation", "rows"],
)
def test_nothing_from_users_becomes_markup(changes):
    page = run_page(full_run(**changes))
    assert page.count("<script>") == 1
    assert "alert(" in page
    assert "alert" in "".join(Reader(page).text)


def test_characters_no_page_can_hold_are_replaced():
    page = run_page(full_run(title="a\x00b\ud800c\x1bd"))
    assert "a\ufffdb\ufffdc\ufffdd" in page
    page.encode("utf-8")


def test_ten_thousand_long_rows_of_sixty_labels_stay_small():
    labels = tuple(f"很长的标签名称 number {place}" for place in range(60))
    given = split(rows=10_000, labels=labels, skill=0.4, texts=("很长的文本。" * 800,))
    page = run_page(full_run(splits=(given,), labels=labels, curves=curves(100_000)))
    assert len(page.encode()) < 1_500_000


def confusion_of(page):
    return re.search(r'<section id="confusion".*?</section>', page, re.DOTALL)[0]


@pytest.mark.parametrize(
    ("number", "kind"), [(2, "matrix"), (20, "matrix"), (21, "matrix dense"), (60, "matrix dense")]
)
def test_the_matrix_fits_its_labels(number, kind):
    labels = tuple(f"label {place}" for place in range(number))
    told = confusion_of(run_page(full_run(splits=(split(labels=labels, rows=400, skill=0.3),))))
    assert f'<table class="{kind}">' in told
    matrix = told[told.index("Confusion matrix") :]
    assert len(re.findall(r'<td class="hit|<td class="miss|<td>', matrix)) == number * number


def test_too_many_labels_leave_only_the_commonest_mistakes():
    labels = tuple(f"label {place}" for place in range(61))
    told = confusion_of(run_page(full_run(splits=(split(labels=labels, rows=400, skill=0.3),))))
    assert "Commonest mistakes" in told
    assert "Confusion matrix" not in told


def hand_made(truth, answered, surest):
    probabilities = np.full((len(truth), 2), 0.0)
    probabilities[np.arange(len(truth)), answered] = surest
    probabilities[np.arange(len(truth)), 1 - np.array(answered)] = 1 - np.array(surest)
    rows = Answers(
        labels=("no", "yes"),
        truth=np.array(truth),
        answers=np.array(answered),
        probabilities=probabilities,
        texts=[f"text {place}" for place in range(len(truth))],
    )
    return Split(name="test", source="t", rows=len(truth), metrics={"accuracy": 0.5}, answers=rows)


def test_the_surest_errors_come_first():
    told = run_page(full_run(splits=(hand_made([0, 0, 1, 1], [1, 0, 0, 0], [0.6, 0.99, 0.97, 0.8]),)))
    errors = re.search(r'<section id="errors".*?</section>', told, re.DOTALL)[0]
    assert re.findall(r"text \d", errors) == ["text 2", "text 3", "text 0"]
    assert "3 texts of 4 answered wrong" in errors


def test_a_spotless_result_is_not_oversold():
    given = hand_made([0, 1, 1, 0] * 10, [0, 1, 1, 0] * 10, [0.9] * 40)
    page = run_page(
        full_run(splits=(Split(name="test", source="t", rows=40, metrics={"accuracy": 1.0}, answers=given.answers),))
    )
    assert "errors" not in sections(page)
    assert "No label is taken for another" in page
    assert "proves an accuracy of at least 92.5 %, not of 100 %" in page


@pytest.mark.parametrize("updates", [1, 2, 5])
def test_short_runs_have_curves_too(updates):
    short = curves(500)
    cut = {name: getattr(short, name)[:updates] for name in ("steps", "loss", "rate", "dev_steps", "dev")}
    told = run_page(full_run(curves=type(short)(metric="accuracy", best_step=100, **cut), lengths=np.array([7])))
    assert "learning" in sections(told)
    Reader(told)


def test_a_run_that_was_never_evaluated_has_no_dev_curve():
    nothing = np.array([], dtype=np.int64)
    short = curves(5)
    never = type(short)(
        steps=short.steps, loss=short.loss, rate=short.rate, metric="accuracy", dev_steps=nothing, dev=nothing * 0.5
    )
    assert "on dev by update" not in run_page(full_run(curves=never, splits=()))


def test_a_section_can_be_added():
    page = run_page(BARE, (*SECTIONS, lambda report: Section("ladder", "The ladder", paragraph(report.title))))
    assert sections(page) == ["story", "ladder"]


def test_speed_without_memory_and_texts_that_fit():
    page = run_page(
        full_run(
            speed=Speed(seconds=4.2, tokens=100, updates=3),
            truncation=Truncation(strategy="head", max_length=512, texts=0, tokens=0),
        )
    )
    assert "4.2 s" in page
    assert "Peak memory" not in page
    assert "All texts fit into 512 tokens" in page


def test_the_plotting_library_waits_until_needed():
    code = "import sys, bertsmith.report; print([m for m in ('matplotlib', 'sklearn') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
