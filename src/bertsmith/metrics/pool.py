"""Two models' probabilities as one: their product, each raised to a power (a logarithmic opinion pool)."""

import numpy as np
from jaxtyping import Float, Int

from bertsmith.metrics.calibration import logarithms, softmax

Chances = Float[np.ndarray, "rows labels"]
Powers = tuple[float, float]


def pooled(one: Chances, other: Chances, powers: Powers) -> Chances:
    """Multiply the probabilities of two models, each to its power, and scale them to sum to one.

    A product of experts (Hinton 2002, Neural Computation 14, eq. 1): what either of them excludes is excluded.
    """
    scores = powers[0] * logarithms(one) + powers[1] * logarithms(other)
    return softmax(scores).astype(one.dtype)


def best_powers(
    one: Chances,
    other: Chances,
    truth: Int[np.ndarray, " rows"],
    importance: Float[np.ndarray, " rows"] | None = None,
) -> Powers:
    """The powers, none negative, that make the truth likeliest, drawn towards 1 with the weight of one row.

    Without that pull, rows that are all answered right would want powers without end. The loss is convex: the
    same rows always give the same powers. `importance` is how much each row counts (None: 1).

    Raises:
        ValueError: there are no rows.
    """
    if not len(truth):
        raise ValueError("powers need at least one row")
    weight = np.ones(len(truth)) if importance is None else np.asarray(importance, dtype=np.float64)
    above = np.stack([_above(scores, truth) for scores in (one, other)], axis=-1)
    free = [0, 1]
    powers = _minimum(above, weight, np.ones(2), free)
    if powers.min() < 0:
        wrong = int(powers.argmin())
        powers = _minimum(above, weight, np.eye(2)[1 - wrong], [1 - wrong])
    return float(max(powers[0], 0.0)), float(max(powers[1], 0.0))


def pool_loss(
    one: Chances,
    other: Chances,
    truth: Int[np.ndarray, " rows"],
    powers: Powers,
    importance: Float[np.ndarray, " rows"] | None = None,
) -> float:
    """What `best_powers` makes as small as it can: -log(pooled chance of the truth), summed, and the pull towards 1."""
    weight = np.ones(len(truth)) if importance is None else np.asarray(importance, dtype=np.float64)
    return _loss(np.stack([_above(scores, truth) for scores in (one, other)], axis=-1), weight, np.asarray(powers))


def _above(chances: Chances, truth: Int[np.ndarray, " rows"]) -> Float[np.ndarray, "rows labels"]:
    """How far the score of each label lies above that of the true one."""
    scores = logarithms(chances)
    return np.asarray(scores - scores[np.arange(len(truth)), truth, None])


def _minimum(
    above: Float[np.ndarray, "rows labels 2"], weight: Float[np.ndarray, " rows"], start: np.ndarray, free: list[int]
) -> Float[np.ndarray, "2"]:
    """Newton's method over the powers that are free, with steps halved until the loss falls."""
    powers = start.astype(np.float64)
    loss = _loss(above, weight, powers)
    for _ in range(100):
        chances = softmax(above @ powers)
        mean = np.einsum("rl,rlp->rp", chances, above)
        spread = np.einsum("r,rl,rlp,rlq->pq", weight, chances, above, above) - np.einsum(
            "r,rp,rq->pq", weight, mean, mean
        )
        slope = weight @ mean + powers - 1
        step = np.zeros(2)
        step[free] = np.linalg.solve(spread[np.ix_(free, free)] + np.eye(len(free)), slope[free])
        for _ in range(40):
            tried = _loss(above, weight, powers - step)
            if tried <= loss:
                break
            step /= 2
        powers, fallen, loss = powers - step, loss - tried, tried
        if fallen < 1e-12 * max(1.0, abs(loss)):
            break
    return powers


def _loss(above: Float[np.ndarray, "rows labels 2"], weight: Float[np.ndarray, " rows"], powers: np.ndarray) -> float:
    scores = above @ powers
    top = scores.max(1)
    likelihood = top + np.log(np.exp(scores - top[:, None]).sum(1))
    return float(weight @ likelihood + 0.5 * ((powers - 1) ** 2).sum())
