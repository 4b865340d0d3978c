"""Generated parts of documents: what stands between two HTML comments is written by a tool, the rest by people."""

from pathlib import Path


def part(text: str, name: str) -> str:
    """What stands between `<!-- name -->` and `<!-- /name -->`."""
    begin, end = _places(text, name)
    return text[begin:end]


def with_part(text: str, name: str, content: str) -> str:
    """The text with that part replaced."""
    begin, end = _places(text, name)
    return text[:begin] + content + text[end:]


def update(path: Path, name: str, content: str) -> None:
    """Write the part into a file, and say whether that changed anything."""
    before = path.read_text(encoding="utf-8")
    after = with_part(before, name, content)
    path.write_text(after, encoding="utf-8")
    print(f"{path.name}: {'as it was' if after == before else 'updated'}")


def _places(text: str, name: str) -> tuple[int, int]:
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(opening) != 1 or text.count(closing) != 1:
        raise ValueError(f"the document needs {opening} and {closing}, each once")
    return text.index(opening) + len(opening), text.index(closing)
