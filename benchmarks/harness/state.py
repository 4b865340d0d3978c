"""What a broken run has measured already: a file for each case, in a folder named by all that must be the same."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

CASES = "cases"


class State:
    """The finished cases of a run that goes on; a case that was interrupted is measured again from its first round.

    Its rounds must stand beside each other, for that is what makes their ratios worth something.
    """

    def __init__(self, work: Path, identity: Mapping[str, Any]) -> None:
        told = json.dumps(identity, sort_keys=True).encode()
        self.folder = work / "unfinished" / hashlib.sha256(told).hexdigest()[:12]

    def find(self, name: str) -> dict[str, Any] | None:
        """What was measured of a case."""
        path = self._path(name)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def keep(self, name: str, found: Mapping[str, Any]) -> None:
        """Remember a case; there is never half of one."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found), encoding="utf-8")
        os.replace(part, path)

    def forget(self) -> None:
        """The run is complete, or is to begin anew."""
        rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.folder / CASES / f"{name}.json"


def fingerprint(*places: Path) -> str:
    """Hash of files, of folders that of their Python files: other code is another run."""
    told = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            told.update(path.read_bytes())
    return told.hexdigest()[:12]
