"""What the peers' side shares."""

from importlib import import_module
from typing import Any

from harness.protocol import Missing


def needed(module: str) -> Any:
    """A package of the peers.

    Raises:
        Missing: it is not installed here, or does not load.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise Missing(f"{module} cannot be imported: {error}") from None
