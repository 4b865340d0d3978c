"""A case as the harness writes it down."""

from typing import Any


def measure(seconds: float, *, cpu: float = 0.0, peak: int = 0, tokens: int | None = None, **figures: float) -> dict:
    return {
        "seconds": seconds,
        "cpu_seconds": cpu or seconds,
        "peak_bytes": peak,
        "tokens": tokens,
        "figures": {name.replace("_", " "): value for name, value in figures.items()},
    }


def entry(system: str, way: str, *measures: dict, setting: dict[str, Any] | None = None, **more: Any) -> dict:
    return {
        "system": system,
        "way": way,
        "setting": setting or {},
        "measures": list(measures),
        "figures": {},
        "missing": None,
        **more,
    }


def case(*entries: dict, name: str = "encode-zh", each: bool = False, **amount: float) -> dict:
    return {"name": name, "about": "", "each": each, "amount": amount, "minutes": 0.1, "entries": list(entries)}
