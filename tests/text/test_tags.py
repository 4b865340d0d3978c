"""Tag schemes: spans survive writing and reading, broken sequences are found, seqeval reads the same spans."""

import itertools
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB2, IOBES, Entities

from bertsmith.text.tags import SCHEMES, Span, convert, detect, is_tag, parse_tag, read_spans, read_strict_spans

TYPES = ("PER", "creative-work")
SEQEVAL = {"BIO": IOB2, "BIOES": IOBES, "BILOU": BILOU}


@st.composite
def spans(draw, most=12):
    """A length and spans that do not overlap."""
    length, place, found = draw(st.integers(0, most)), 0, []
    while place < length:
        size = draw(st.integers(0, length - place))
        if size:
            found.append(Span(place, place + size, draw(st.sampled_from(TYPES))))
        place += size or 1
    return length, found


def any_tags(scheme):
    return st.lists(st.sampled_from(SCHEMES[scheme].tags(TYPES)), max_size=9)


@pytest.mark.parametrize("name", SCHEMES)
@given(case=spans())
def test_spans_survive_every_scheme(name, case):
    length, written = case
    scheme = SCHEMES[name]
    tags = scheme.write(written, length)
    assert read_spans(tags) == written == read_strict_spans(tags, scheme)
    assert not list(scheme.problems(tags))
    assert all(is_tag(tag) and tag in scheme.tags(TYPES) for tag in tags)


@pytest.mark.parametrize("source", SCHEMES)
@pytest.mark.parametrize("target", SCHEMES)
@given(case=spans())
def test_conversion_goes_both_ways(source, target, case):
    length, written = case
    tags = SCHEMES[source].write(written, length)
    assert convert(convert(tags, SCHEMES[target]), SCHEMES[source]) == tags


@pytest.mark.parametrize("name", SCHEMES)
def test_grammar_allows_exactly_the_sequences_without_problems(name):
    scheme = SCHEMES[name]
    tags = scheme.tags(["PER", "ORG"])
    allowed = scheme.allowed(tags)

    @given(st.lists(st.integers(0, len(tags) - 1), min_size=1, max_size=6))
    def check(row):
        legal = allowed.start[row[0]] and allowed.end[row[-1]]
        legal = legal and all(allowed.steps[a, b] for a, b in itertools.pairwise(row))
        assert legal == (not list(scheme.problems([tags[place] for place in row])))

    check()


def test_scheme_is_detected():
    written = [Span(0, 1, "PER"), Span(1, 4, "PER"), Span(5, 7, "ORG")]
    for scheme in SCHEMES.values():
        assert detect([["O"], scheme.write(written, 8)]) == scheme
    assert detect([["I-PER", "I-PER", "O"]]) == SCHEMES["IOB1"]
    assert detect([["O", "O"]]) == SCHEMES["BIO"]
    assert detect([["O", "I-PER", "O", "B-PER"]]) == SCHEMES["BIO"]


def test_problems_name_place_and_rule():
    bio = SCHEMES["BIO"]
    assert [problem.place for problem in bio.problems(["O", "I-PER", "B-PER", "I-ORG"])] == [1, 3]
    assert "I-ORG cannot stand after B-PER" in next(iter(bio.problems(["B-PER", "I-ORG"]))).what
    assert "not closed" in next(iter(SCHEMES["BIOES"].problems(["O", "B-PER"]))).what
    assert "no tag of BIO" in next(iter(bio.problems(["S-PER"]))).what


def test_tags_are_told_from_other_words():
    assert [tag for tag in ("O", "B-PER", "S", "I-creative-work", "X-PER", "B-", "PER", "") if is_tag(tag)] == [
        "O",
        "B-PER",
        "S",
        "I-creative-work",
    ]
    assert parse_tag("I-creative-work") == ("I", "creative-work")


@pytest.mark.parametrize("case", [[Span(0, 0, "A")], [Span(1, 4, "A")], [Span(0, 2, "A"), Span(1, 3, "B")]])
def test_impossible_spans_are_refused(case):
    with pytest.raises(ValueError, match="overlaps"):
        SCHEMES["BIO"].write(case, 3)


@pytest.mark.parametrize("name", ["BIO", "BIOES"])
def test_any_sequence_is_read_as_seqeval_reads_it(name):
    @given(any_tags(name))
    def check(tags):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = {(start, end + 1, kind) for kind, start, end in get_entities(tags)}
        assert {tuple(span) for span in read_spans(tags)} == theirs

    check()


@pytest.mark.parametrize("name", SEQEVAL)
def test_strict_reading_equals_seqeval(name):
    @given(any_tags(name))
    def check(tags):
        theirs = {(e.start, e.end, e.tag) for e in Entities([tags], SEQEVAL[name]).entities[0]}
        assert {tuple(span) for span in read_strict_spans(tags, SCHEMES[name])} == theirs

    check()
