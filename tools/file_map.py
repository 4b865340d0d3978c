"""Writes the file map into README.md and README.zh.md; a file's line is the first line of its docstring.

python tools/file_map.py            writes
python tools/file_map.py --print    prints
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from markers import update

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh.md")
MARK = "file map"

PLACES = {
    "README.md": "the 30-second tour, in English",
    "README.zh.md": "the same in Chinese",
    "ARCHITECTURE.md": "layers, the walk of a sentence, where a line lives, how to add something",
    "CONTRIBUTING.md": "how to work on bertsmith",
    "CHANGELOG.md": "what changed for users, by version",
    "LOG.md": "experiments with date, command and numbers, failures too",
    "LICENSE": "Apache-2.0",
    "CITATION.cff": "how to cite",
    "Makefile": "demo, test, check, bench, bench-full, docs",
    ".ci": "what CI runs: `make check` and `make test`",
    ".gitignore": "what git leaves alone",
    "pyproject.toml": "dependencies, extras and the settings of every tool",
    "constraints.txt": "the exact versions `make` installs",
    "constraints-peers.txt": "the exact versions of what benchmarks compare with, in an environment of their own",
    "mkdocs.yml": "how the documentation site is built",
    "benchmarks": "quality and speed against peers, results by date and machine",
    "docs": "the documentation site; its code blocks are run by the tests",
    "examples": "short scripts, run by the tests",
    "recipes": "runnable runs in YAML, each tried for two steps by the tests",
    "tools": "the environment, and the generated parts of documents",
    "tests": "mirrors `src/bertsmith`",
    "tests/contracts": "what holds for every family, mask, kernel and packing",
    "tests/docs": "the documents: file map, code blocks, examples, recipes, reference pages",
    "src/bertsmith/py.typed": "says that the package is typed",
    "src/bertsmith/assets/demo": "the demo's own data (CC0)",
    "src/bertsmith/assets/demo/en_answers.csv": "an answer for every group of English questions",
    "src/bertsmith/assets/demo/en_questions.csv": "English customer questions with intent and group of wordings",
    "src/bertsmith/assets/demo/zh_answers.csv": "an answer for every group of Chinese questions",
    "src/bertsmith/assets/demo/zh_questions.csv": "Chinese customer questions with intent and group of wordings",
    "src/bertsmith/assets/published": "scores that papers and their authors published",
    "src/bertsmith/assets/published/sts.tsv": "rank correlations on scored pairs, by set, model, pooling and method",
    "src/bertsmith/assets/encoders": "encoders that come with the package",
    "src/bertsmith/assets/encoders/tiny-zh": "the small Chinese encoder: weights in float16, vocabulary, model card",
    "src/bertsmith/report/page.css": "how a report looks, in light and dark",
    "src/bertsmith/report/page.js": "the few lines of script of a report",
}
"""What no docstring says."""

CLOSED = ("src/bertsmith/assets/encoders/tiny-zh",)
"""Folders of the package whose files are not listed."""
OPENED = ("docs", "examples", "recipes", "tools")
"""Folders beside `src` and `tests` whose files are listed one by one."""


def file_map() -> str:
    """The whole map as a nested Markdown list."""
    beside = sorted(name for name in PLACES if "/" not in name)
    lines = [line for name in beside if name != "tests" for line in lines_of(ROOT / name)]
    return "\n".join(["", *source_lines(), *test_lines(), *lines, ""])


def source_lines() -> list[str]:
    """Every file of the package, folders before files."""
    package = ROOT / "src" / "bertsmith"
    return list(_tree(package, ours(package), depth=0))


def test_lines() -> list[str]:
    """The folders of tests."""
    tests = ROOT / "tests"
    folders = sorted({tests / path.relative_to(tests).parts[0] for path in ours(tests) if path.parent != tests})
    return [entry(ROOT / "tests", 0), *(entry(folder, 1) for folder in folders)]


def lines_of(path: Path) -> list[str]:
    """A file or folder beside the package, with its files where they are listed."""
    return [entry(path, 0), *(entry(file, 1) for file in ours(path) if path.name in OPENED)]


def ours(folder: Path) -> list[Path]:
    """The files that git tracks in a folder at any depth; where there is no git, all of them."""
    listing = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        return sorted(ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).exists())
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def entry(path: Path, depth: int) -> str:
    """One line: a link to the path, and what it holds."""
    name = path.relative_to(ROOT).as_posix() if depth == 0 else path.name
    return f"{'  ' * depth}- [{name}{'/' * path.is_dir()}]({path.relative_to(ROOT).as_posix()}): {described(path)}"


def described(path: Path) -> str:
    """What a path holds, in its own words where it has some."""
    place = path.relative_to(ROOT).as_posix()
    if place in PLACES:
        return PLACES[place]
    if path.is_dir() and path.parent == ROOT / "tests":
        return f"tests of `{path.name}`"
    if path.is_dir():
        return described(path / "__init__.py")
    if path.suffix == ".py":
        return docstring_line(path)
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#").strip()


def docstring_line(path: Path) -> str:
    """The first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{path} has no docstring")
    return docstring.splitlines()[0]


def _tree(folder: Path, files: Sequence[Path], depth: int) -> Iterator[str]:
    yield entry(folder, depth)
    if folder.relative_to(ROOT).as_posix() in CLOSED:
        return
    inside = {folder / path.relative_to(folder).parts[0] for path in files}
    for path in sorted(inside, key=lambda path: (path.is_file(), path.name)):
        if path.is_dir():
            yield from _tree(path, [file for file in files if path in file.parents], depth + 1)
        elif path.name != "__init__.py":
            yield entry(path, depth + 1)


if __name__ == "__main__":
    if "--print" in sys.argv:
        print(file_map())
    else:
        for readme in READMES:
            update(ROOT / readme, MARK, file_map())
