"""The file map of both READMEs is the disk."""

import re
import sys
from pathlib import Path

import pytest

from tests.docs.documents import ROOT

sys.path.insert(0, str(ROOT / "tools"))

import file_map
from markers import part

READMES = [ROOT / name for name in file_map.READMES]


def links(readme: Path) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", part(readme.read_text(encoding="utf-8"), file_map.MARK))


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_map_is_up_to_date(readme: Path):
    written = part(readme.read_text(encoding="utf-8"), file_map.MARK)
    assert written == file_map.file_map(), "run: python tools/file_map.py"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_listed_path_exists_and_every_module_is_listed(readme: Path):
    listed = links(readme)
    assert all((ROOT / path).exists() for path in listed)
    assert len(listed) == len(set(listed))
    closed = [ROOT / folder for folder in file_map.CLOSED]
    files = [path for path in file_map.ours(ROOT / "src") if not any(path.is_relative_to(each) for each in closed)]
    held = {path.parent if path.name == "__init__.py" else path for path in files}
    assert {path.relative_to(ROOT).as_posix() for path in held} <= set(listed)


def test_everything_at_the_top_is_listed():
    top = {path.relative_to(ROOT).parts[0] for path in file_map.ours(ROOT)} - {"src"}
    assert top <= set(links(READMES[0]))


def test_both_readmes_have_the_same_sections_and_commands():
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)
    assert len(re.findall("^## ", english, re.M)) == len(re.findall("^## ", chinese, re.M))
    code = re.compile(r"^```(?:sh|python)\n.*?^```", re.M | re.S)
    bare = [[re.sub("  +#.*", "", block) for block in code.findall(text)] for text in (english, chinese)]
    assert bare[0] == bare[1]
