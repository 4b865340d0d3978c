"""Updates made ahead by other processes are the updates."""

import pytest
import torch

from bertsmith.errors import UserError
from bertsmith.pretraining.ahead import MadeAhead
from bertsmith.training import Updates

from .test_updates import updates
from .tiny import corpus as made


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return made(tmp_path_factory.mktemp("corpus"))


def tokens(builds):
    return [build().texts.token_ids for build in builds]


def equal(one, two):
    return len(one) == len(two) and all(map(torch.equal, one, two))


@pytest.mark.slow
def test_made_ahead_by_another_process_is_the_same(corpus):
    plain = updates(corpus, "unilm", batch_size=40)
    with MadeAhead(plain, workers=1, depth=2, rank=1, world=2) as ahead:
        assert isinstance(ahead, Updates)
        per_epoch = ahead.per_epoch(0)
        assert per_epoch == plain.per_epoch(0)
        for epoch, index in [*((0, index) for index in range(per_epoch)), (1, 0), (1, 1), (5, 1)]:
            builds = ahead.update(epoch, index, at_least=2)
            assert [build.args[1] is not None for build in builds] == [number % 2 == 1 for number in range(len(builds))]
            assert equal(tokens(builds), tokens(plain.update(epoch, index, at_least=2)))
        _require_failure_is_told(ahead, corpus)


def _require_failure_is_told(ahead, corpus):
    away = corpus.shards.folder.rename(corpus.shards.folder.with_name("away"))
    try:
        with pytest.raises((UserError, FileNotFoundError)):
            ahead.update(9, 0, at_least=4)[1]()
    finally:
        away.rename(corpus.shards.folder)
