"""Units and tokens: one token stands for each unit, wherever it is in the text; spans keep their characters."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.text import train_vocabulary
from bertsmith.text.tags import Span
from bertsmith.text.units import align, find_units, spans_of_units, text_of_tokens, units_of_spans

TOKENIZER = train_vocabulary(["1963年出生 unbelievable words Été", "彭小军 认为 1963 unbelievable"] * 5, size=200)
TEXTS = st.text(st.sampled_from("彭军19ab é\u0301\u200b\u3000，.\ufffd😀İ"), max_size=12)


def covered(text, kind):
    return [text[start:end] for start, end in find_units(text, kind)]


def test_units_of_both_kinds():
    assert covered("彭小军1963年 born, ok", "words") == ["彭", "小", "军", "1963", "年", "born", ",", "ok"]
    assert covered("彭19 b\u200b", "characters") == ["彭", "1", "9", "b"]
    assert covered("e\u0301te\u0301 हिंदी", "words") == ["e\u0301te\u0301", "हिंदी"]
    assert covered("e\u0301t", "characters") == ["e\u0301", "t"]


def test_the_first_token_of_a_unit_stands_for_it():
    text = "unbelievable 彭 1963"
    (made,) = align([text], [find_units(text, "words")], TOKENIZER)
    names = TOKENIZER.tokens(made.token_ids)
    assert len(made.firsts) == 3
    assert names[made.firsts[0]] == names[0]
    assert not any(names[place].startswith("##") for place in made.firsts)


def test_characters_are_tokenized_one_by_one_where_tokens_would_join_them():
    text = "1963年"
    assert len(TOKENIZER.tokenize([text])[0]) < 5
    (made,) = align([text], [find_units(text, "characters")], TOKENIZER)
    assert TOKENIZER.tokens(made.token_ids[made.firsts]) == ["1", "9", "6", "3", "年"]


@given(TEXTS, st.sampled_from(["words", "characters"]))
def test_every_unit_has_a_token_of_its_own_text(text, kind):
    units = find_units(text, kind)
    (made,) = align([text], [units], TOKENIZER)
    assert len(made.firsts) == len(units)
    assert (np.diff(made.firsts) >= 0).all()
    for place, (start, end) in zip(made.firsts, units, strict=True):
        alone = TOKENIZER.tokenize([text[start:end]])[0].token_ids
        if len(alone):
            assert made.token_ids[place] == alone[0]


@given(TEXTS, st.data())
def test_spans_of_units_go_to_characters_and_back(text, data):
    units = find_units(text, "words")
    edges = sorted(data.draw(st.sets(st.integers(0, len(units)), max_size=6)))
    spans = [Span(a, b, "X") for a, b in zip(edges[::2], edges[1::2], strict=False)]
    there = spans_of_units(spans, units)
    assert units_of_spans(there, units) == (spans, 0)


def test_boundaries_inside_a_unit_are_counted_and_widened():
    text = "iPhone7 彭小军"
    units = find_units(text, "words")
    found, unfit = units_of_spans([Span(0, 6, "P"), Span(6, 7, "N"), Span(8, 9, "C")], units)
    assert unfit == 2
    assert found == [Span(0, 1, "P"), Span(1, 2, "C")]


def test_text_between_tokens():
    assert text_of_tokens(["I", "am", "in", "New", "York", "."]) == (
        "I am in New York .",
        ((0, 1), (2, 4), (5, 7), (8, 11), (12, 16), (17, 18)),
    )
    assert text_of_tokens(list("1963年，出生"))[0] == "1963年，出生"
    assert text_of_tokens(["我", "爱", "New", "York", "吧"])[0] == "我爱New York吧"
    assert text_of_tokens(["a", "b"])[0] == "a b"
    assert text_of_tokens([]) == ("", ())
