"""Reference pages hold all that is in the code, and nothing else."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bertsmith import files
from bertsmith.config import Config
from bertsmith.encoder.families import FAMILIES
from bertsmith.recipes import FinetuneRecipe
from tests.docs.documents import DOCUMENTS, ROOT

sys.path.insert(0, str(ROOT / "tools"))

import file_map
import recipe_reference
from markers import part

DOCS = ROOT / "docs"
CODE_POSITION = {"refusal": 2, "Finding": 1, "Oddity": 0}
"""Where these calls have their code, counted from 0; everything else names it `code=`."""


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_recipe_reference_is_up_to_date():
    written = part(read("recipe.md"), recipe_reference.MARK)
    assert written == recipe_reference.reference(), "run: python tools/recipe_reference.py"


def test_every_field_of_a_recipe_appears():
    recipe = FinetuneRecipe.model_validate({"start": {"encoder": "tiny"}})
    written = read("recipe.md")
    assert [path for path in fields(recipe) if f"`{path}`" not in written] == []


def fields(config: Config, prefix: str = "") -> Iterator[str]:
    for name, value in config:
        yield prefix + name
        if isinstance(value, Config):
            yield from fields(value, f"{prefix}{name}.")


def test_every_error_code_is_explained():
    explained = table_codes(read("errors.md")) | table_codes(read("data.md"))
    assert codes_in_source() - explained == set()


def test_no_page_explains_a_code_that_does_not_exist():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert [code for code in table_codes(read("errors.md")) if f'"{code}"' not in source] == []


def table_codes(text: str) -> set[str]:
    """The names in the first column of the tables whose heading is `code`."""
    tables = re.findall(r"^\| code \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.M)
    rows = [row.split("|")[1] for table in tables for row in table.splitlines()]
    return {code for row in rows for code in re.findall("`([a-z_]+)`", row)}


def codes_in_source() -> set[str]:
    calls = [
        node
        for path in file_map.ours(ROOT / "src")
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    by_system = {code for code, _ in files._REASONS.values()} | {"not_writable", "bad_input"}
    return {code for call in calls for code in codes_of(call)} | by_system


def codes_of(call: ast.Call) -> Iterator[str]:
    candidates = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    place = CODE_POSITION.get(call.func.id if isinstance(call.func, ast.Name) else "")
    if place is not None and len(call.args) > place:
        candidates.append(call.args[place])
    for candidate in candidates:
        if isinstance(candidate, ast.Constant):
            yield str(candidate.value)


def test_every_family_is_in_the_table():
    table = part(read("models.md"), "families")
    for family in FAMILIES:
        for model_type in family.model_types:
            assert f"`{model_type}`" in table


def test_the_layers_are_those_that_the_machine_watches():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    watched = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = re.search("^## Layers.*?^```text\n(.*?)^```", page, re.M | re.S)
    assert drawn is not None
    assert [line.split("  ")[0] for line in drawn[1].splitlines() if not line.startswith(" ")] == watched


def test_the_site_lists_every_page():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = set(re.findall(r"[\w-]+\.md", str(nav)))
    assert listed == {page.name for page in DOCS.glob("*.md")}


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "ARCHITECTURE.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path):
    prose = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#]*)(?:#[\w-]+)?\)", prose):
        assert not target or (document.parent / target).exists(), target


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "ARCHITECTURE.md"], ids=lambda path: path.name)
def test_documents_name_no_path_of_a_machine(document: Path):
    assert not re.search(r"(?<![\w.])/(?:work|tmp|home|root|Users)/", document.read_text(encoding="utf-8"))
