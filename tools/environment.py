"""Set up `.venv` with pinned versions; needs only Python (with venv) and nothing installed.

    python3 tools/environment.py runtime|dev|docs

Nothing is done when the environment already fits (a stamp holds the hash of what it was made from).
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
EXTRAS = {"runtime": "all", "dev": "dev", "docs": "dev,docs"}
MINIMUM = (3, 11)


def main(kind: str) -> None:
    """Make the environment of this kind, unless it is there."""
    if sys.version_info < MINIMUM:
        sys.exit(
            f"bertsmith needs Python {MINIMUM[0]}.{MINIMUM[1]} or later, this is {sys.version.split()[0]}; "
            "name another one: make PYTHON=python3.12 demo"
        )
    if is_made(kind):
        return
    create_venv()
    print(
        f"installing the pinned versions of constraints.txt into .venv ({kind}); this takes a few minutes", flush=True
    )
    torch = next(line for line in pins() if line.startswith("torch=="))
    install(torch)  # by its exact version and first: a range would pull the newest CUDA build
    install("-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{EXTRAS[kind]}]")
    for done in (kind, *weaker(kind)):
        stamp(done).write_text(fingerprint())


def create_venv() -> None:
    """Create `.venv`, or say what is missing."""
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(
            "this Python has no venv/ensurepip module. Install it and run make again:\n"
            f"  Debian, Ubuntu:  apt install python{version}-venv   (or python3-venv)\n"
            "  Fedora:          dnf install python3\n"
            "  elsewhere:       a Python from python.org, conda or pyenv brings it along"
        )
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True, clear=VENV.exists())


def install(*arguments: str) -> None:
    """Run pip inside the environment; on failure end with its exit code."""
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit(f"{result.stderr}\npip could not install {arguments[-1]} (exit {result.returncode}); see above")


def pins() -> list[str]:
    """Lines of constraints.txt that pin a version."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "==" in line]


def fingerprint() -> str:
    """Hash of everything the environment is made from."""
    sources = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*sources, sys.version.encode()])).hexdigest()


def stamp(kind: str) -> Path:
    """File that says the environment of this kind is complete."""
    return VENV / f".made-{kind}"


def weaker(kind: str) -> tuple[str, ...]:
    """Kinds that this one includes."""
    return {"runtime": (), "dev": ("runtime",), "docs": ("runtime", "dev")}[kind]


def is_made(kind: str) -> bool:
    """True when the environment is complete and made from the same files."""
    return PYTHON.exists() and stamp(kind).exists() and stamp(kind).read_text() == fingerprint()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in EXTRAS:
        sys.exit(__doc__)
    main(sys.argv[1])
