import pytest

from harness.protocol import Answer, Ask, Job, Measure, read_answer, read_ask, read_job, written
from harness.rows import Entry, rows_of, spread_of, too_slow

from .recorded import case, entry, measure

CEILINGS = {"float32": 1e9, "bfloat16": 4e9}


def test_median_spread_and_rates() -> None:
    rounds = [measure(seconds, cpu=2 * seconds, peak=peak) for seconds, peak in ((2.0, 5e6), (1.0, 9e6), (4.0, 7e6))]
    (row,) = rows_of(case(entry("bertsmith", "float32", *rounds), texts=100, tokens=1000, operations=1e9), CEILINGS)
    assert (row.rounds, row.seconds, row.cpu_seconds) == (3, 2.0, 4.0)
    assert row.spread == pytest.approx((4 - 1) / 2)
    assert (row.texts_per_second, row.tokens_per_second) == (50, 500)
    assert row.utilisation == pytest.approx(0.5)  # 1e9 operations in 2 s, of 1e9 a second
    assert row.peak_mb == 9
    assert row.figure("ns/token") == pytest.approx(2e6)


def test_spread_of_one_round_is_nothing() -> None:
    assert spread_of([3.0]) == 0


def test_fastest_setting_of_a_peer_counts_and_is_named() -> None:
    peer = "sentence-transformers"
    rows = rows_of(
        case(
            entry("bertsmith", "bfloat16", measure(1.0)),
            entry(peer, "bfloat16", measure(5.0), setting={"batch": 32}),
            entry(peer, "bfloat16", measure(3.0), setting={"batch": 64}),
            entry(peer, "float32", measure(2.0), setting={"batch": 64}),
            entry("onnxruntime", "bfloat16", missing="not installed"),
        ),
        CEILINGS,
    )
    ours, half, whole, gone = rows
    assert (half.setting, half.seconds, whole.seconds) == ("batch 64", 3.0, 2.0)
    assert (ours.ratio, ours.peer) == (3.0, peer)  # float32 is another way
    assert half.ratio is None
    assert gone.missing == "not installed"
    assert gone.seconds is None


def test_paces_are_compared_where_rounds_count_their_own_tokens() -> None:
    rows = rows_of(
        case(
            entry("bertsmith", "bfloat16", measure(2.0, tokens=4000)),
            entry("transformers", "bfloat16", measure(1.0, tokens=1000)),
            operations_per_token=1e6,
        ),
        CEILINGS,
    )
    assert rows[0].tokens_per_second == 2000
    assert rows[0].ratio == pytest.approx(2.0)
    assert rows[0].utilisation == pytest.approx(2000 * 1e6 / 4e9)


def test_each_setting_has_a_row_where_the_case_wants_that() -> None:
    entries = [
        entry("bertsmith", "bfloat16", measure(n / 100, tokens=10 * n), setting={"texts": n}) for n in (100, 1000)
    ]
    rows = rows_of(case(*entries, each=True, texts=7), CEILINGS)
    assert [row.setting for row in rows] == ["texts 100", "texts 1000"]
    assert [row.texts_per_second for row in rows] == [100, 100]


def test_no_ceiling_no_utilisation() -> None:
    (row,) = rows_of(case(entry("onnxruntime", "int8", measure(1.0)), operations=1e9), CEILINGS)
    assert row.utilisation is None


def test_figures_keep_every_round() -> None:
    found = entry("bertsmith", "float32", measure(1, accuracy=80), measure(1, accuracy=90), measure(1, accuracy=82))
    (row,) = rows_of(case(found), CEILINGS)
    assert list(row.rounds_of("accuracy")) == [80, 90, 82]
    assert row.figure("accuracy") == 82
    assert row.figure("nothing") is None


def test_settings_far_behind_are_not_tried_again() -> None:
    entries = [Entry("peer", "", {"batch": n}, [Measure(seconds, 1)]) for n, seconds in ((1, 1.0), (2, 1.1), (3, 1.2))]
    assert [each.setting["batch"] for each in too_slow(entries)] == [3]
    assert too_slow([Entry("peer", "", {}, missing="gone")]) == []


def test_messages_come_back_as_they_were_sent() -> None:
    job = Job("bertsmith", "encode", "float32", {"texts": "a"}, {"lr": 1e-3}, threads=2)
    ask = Ask({"batch": 32}, 1, "vectors.npy")
    answer = Answer(measure=Measure(1.0, 2.0, 3, 4, {"accuracy": 0.5}))
    assert read_job(written(job)) == job
    assert read_ask(written(ask)) == ask
    assert read_answer(written(answer)) == answer
    assert read_answer(written(Answer(missing="no"))).measure is None
