import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.data import BatchPlan, plan_batches, plan_inference, split_micro_batches

LENGTHS = st.lists(st.integers(1, 60), max_size=200).map(lambda lengths: np.array(lengths, dtype=np.int64))
PLANS = st.builds(
    BatchPlan,
    batch_size=st.one_of(st.none(), st.integers(1, 13)),
    max_tokens=st.integers(1, 200),
    window=st.integers(1, 5),
)


def rows_of(batches):
    return sorted(int(row) for batch in batches for row in batch)


def assert_within_budget(batches, lengths, budget):
    for batch in batches:
        assert len(batch) == 1 or lengths[batch].sum() <= budget


@given(LENGTHS, PLANS, st.integers(0, 2**32), st.integers(0, 50))
def test_every_row_is_in_one_batch_of_the_asked_size(lengths, plan, seed, epoch):
    batches = plan_batches(lengths, plan, seed=seed, epoch=epoch)
    assert rows_of(batches) == list(range(len(lengths)))
    assert all(len(batch) for batch in batches)
    if plan.batch_size is None:
        assert_within_budget(batches, lengths, plan.max_tokens)
    else:
        assert len(batches) == -(-len(lengths) // plan.batch_size)
        assert max((len(batch) for batch in batches), default=0) <= plan.batch_size


def test_plan_is_a_pure_function_of_seed_and_epoch():
    lengths = np.random.default_rng(3).integers(5, 90, 500)

    def drawn(seed, epoch):
        batches = plan_batches(lengths, BatchPlan(batch_size=7), seed=seed, epoch=epoch)
        return [tuple(batch.tolist()) for batch in batches]

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1) != drawn(2, 0) != drawn(1, 0)
    assert drawn(0, 1) != drawn(1, 0)


def test_window_makes_lengths_within_a_batch_alike_but_not_their_order():
    lengths = np.random.default_rng(3).integers(5, 90, 2000)

    def spread(window):
        batches = plan_batches(lengths, BatchPlan(batch_size=20, window=window), seed=0, epoch=0)
        return np.mean([np.ptp(lengths[batch]) for batch in batches]), [lengths[batch].mean() for batch in batches]

    alike, means = spread(10)
    mixed, _ = spread(1)
    assert alike < mixed / 4
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3


@given(LENGTHS, st.integers(1, 200), st.integers(1, 6), st.randoms(use_true_random=False))
def test_micro_batches(lengths, budget, parts, random):
    rows = np.array(random.sample(range(len(lengths)), len(lengths) // 2), dtype=np.int64)
    batches = split_micro_batches(rows, lengths, budget, parts_at_least=parts)
    assert rows_of(batches) == sorted(rows.tolist())
    assert all(len(batch) for batch in batches)
    assert len(batches) >= min(parts, len(rows))
    assert_within_budget(batches, lengths, budget)


def test_micro_batches_share_the_load_evenly():
    lengths = np.full(64, 10)
    batches = split_micro_batches(np.arange(64), lengths, 500)
    assert [len(batch) for batch in batches] == [32, 32]
    assert len(split_micro_batches(np.arange(64), lengths, 500, parts_at_least=4)) == 4


@given(LENGTHS, st.integers(1, 200), st.integers(1, 50))
def test_inference_goes_window_by_window(lengths, budget, window):
    batches = plan_inference(lengths, budget, window=window)
    assert rows_of(batches) == list(range(len(lengths)))
    assert_within_budget(batches, lengths, budget)
    windows = [set((batch // window).tolist()) for batch in batches]
    assert all(len(numbers) == 1 for numbers in windows)
    assert [min(numbers) for numbers in windows] == sorted(min(numbers) for numbers in windows)


def test_windows_of_a_stream_meet_few_numbers_of_rows():
    """Each new one costs a kernel, which is kept: as many as there are multiples of 32 would be 128."""
    random = np.random.default_rng(0)
    met = set()
    for _ in range(60):
        lengths = np.clip(random.lognormal(np.log(19), 0.5, 4096).astype(np.int64), 3, 512)
        met.update(-(-int(lengths[batch].sum()) // 32) for batch in plan_inference(lengths, 4096))
    assert len(met) <= 10
