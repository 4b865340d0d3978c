import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.report.markup import Html, join, printable, quoted, safe, tag
from bertsmith.report.wording import counted, duration, memory, metric_interval, metric_value, rate


def test_text_is_escaped_once_and_markup_never():
    assert tag("p", "a < b", tag("b", "&")) == "<p>a &lt; b<b>&amp;</b></p>"
    assert join("<", Html("<br>"), 3) == "&lt;<br>3"


def test_attributes_are_escaped_and_none_is_left_out():
    assert (
        tag("a", "x", href='"><script>', title=None, class_="k") == '<a href="&quot;&gt;&lt;script&gt;" class="k">x</a>'
    )


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_written(text):
    assert "<" not in safe(text)
    printable(text).encode("utf-8")


def test_long_texts_are_shortened():
    assert quoted("字" * 400).count("字") == 299
    assert "…" not in quoted("字" * 300)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(4.24, "4.2 s"), (59.4, "59 s"), (59.7, "1 min 0 s"), (203.0, "3 min 23 s"), (7500.0, "2 h 5 min")],
)
def test_durations_read_well(seconds, told):
    assert duration(seconds) == told


def test_numbers_read_well():
    assert (counted(1, "text"), counted(2000, "text")) == ("1 text", "2,000 texts")
    assert (metric_value("accuracy", 0.9651), metric_value("auc", 0.98)) == ("96.5 %", "0.980")
    assert metric_interval("macro_f1", (0.951, 0.976)) == "95.1 to 97.6 %"
    assert (rate(2e-5), memory(5 * 2**20), memory(3 * 2**30)) == ("2e-05", "5 MiB", "3.0 GiB")
    assert metric_value("unheard_of", 0.5) == "0.500"
