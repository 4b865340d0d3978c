"""How every encoder is measured: from a list of texts to an array. Needs numpy alone."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.child import Watch
from harness.protocol import Ask, Job, Measure


def measured(job: Job, encode: Callable[[Mapping[str, Any]], np.ndarray]) -> Callable[[Ask], Measure]:
    """Rounds of encoding everything in a setting; writing vectors down is not timed."""

    def run(ask: Ask) -> Measure:
        watch = Watch(job.device)
        vectors = encode(ask.setting)
        watch.stop()
        if ask.keep:
            np.save(ask.keep, vectors)
        return watch.measure()

    return run
