"""One trained model for all tests of the commands."""

from pathlib import Path

import pytest

from bertsmith.cli import main

from ..tiny import arguments, write_files


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A folder with the tiny files and, in `out`, a model trained on them. Not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    write_files(folder)
    assert main(arguments(folder)) == 0
    return folder


@pytest.fixture
def files(tmp_path) -> Path:
    """A folder with the tiny files only."""
    write_files(tmp_path)
    return tmp_path
