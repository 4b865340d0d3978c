"""Student's t distribution (Gosset 1908), by the incomplete beta function: numpy has neither."""

import math

_TINY, _CLOSE, _MOST_TERMS = 1e-300, 1e-15, 10_000


def two_sided(t: float, df: float) -> float:
    """Chance that a t value of this many degrees of freedom is at least as far from zero as `t`."""
    if math.isnan(t):
        return math.nan
    if math.isinf(t):
        return 0.0
    if df > 1e8:
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


def critical(df: float, *, level: float = 0.95) -> float:
    """The value that `|t|` stays below with probability `level`."""
    low, high = 0.0, 1.0
    while two_sided(high, df) > 1 - level:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, df) > 1 - level else (low, middle)
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised, I_x(a, b); the continued fraction converges fast on one side and serves the other by symmetry."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x),
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), by Lentz's method (Abramowitz & Stegun 26.5.8)."""
    value = d = 1 / ((1 - (a + b) * x / (a + 1)) or _TINY)
    c = 1.0
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / ((1 + term * d) or _TINY)
            c = (1 + term / c) or _TINY
            value *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return value
