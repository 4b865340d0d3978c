from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.text.sentences import sentence_starts


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("他说：“好。”然后走了！！真的吗?对。", ["他说：“好。”", "然后走了！！", "真的吗?", "对。"]),
        ("See 3.14 and e.g. this. Next one? Yes! a.b.c", ["See 3.14 and e.g. this. ", "Next one? ", "Yes! ", "a.b.c"]),
        ("http://a.com/?q=1 is (here.) End", ["http://a.com/?q=1 is (here.) ", "End"]),
        ("等等……好吧。。。是", ["等等……好吧。。。", "是"]),
        ("没有句号", ["没有句号"]),
        ("。", ["。"]),
        ("", []),
        (" \u3000", []),
    ],
)
def test_sentences_end_at_their_marks(text, sentences):
    starts = sentence_starts(text)
    assert [text[a:b] for a, b in pairwise([*starts, len(text)])] == sentences


@given(st.text(alphabet="ab。！?. \n”)1好A"))
def test_sentences_begin_in_order_at_something_visible(text):
    starts = sentence_starts(text)
    assert starts == sorted(set(starts))
    assert not any(text[start].isspace() for start in starts[1:])
    assert (starts == []) == (not text.strip())


def test_endless_marks_and_blanks_take_no_time():
    assert sentence_starts("." * 300_000 + " " * 300_000 + ")" * 300_000) == [0]
    assert len(sentence_starts("。 " * 300_000)) == 300_000
