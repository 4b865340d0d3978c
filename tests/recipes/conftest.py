"""A shape that trains in a second."""

import json
from pathlib import Path

import pytest

from ..tiny import SHAPE


@pytest.fixture(scope="module")
def one_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a shape of one layer."""
    path = tmp_path_factory.mktemp("shape") / "shape.json"
    path.write_text(json.dumps(SHAPE))
    return path
