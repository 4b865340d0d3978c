"""Set up `.venv` with pinned versions; needs only Python (with venv) and nothing installed.

    python3 tools/environment.py runtime|dev|docs|peers

`peers` is an environment of its own, `.venv-peers`: what benchmarks compare bertsmith with, at the versions of
constraints-peers.txt. Nothing is done when the environment already fits (a stamp holds the hash of what it was made
from).
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {"runtime": "all", "dev": "dev", "docs": "dev,docs"}
PEERS = (
    "transformers",
    "accelerate",
    "sentence-transformers",
    "datasets",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "pytorch-crf",
    "faiss-cpu",
)
KINDS = (*EXTRAS, "peers")
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
    create_venv(kind)
    names = f"{pinned(kind).name} into {venv_of(kind).name} ({kind})"
    print(f"installing the pinned versions of {names}; this takes a few minutes", flush=True)
    torch = next(line for line in pins(kind) if line.startswith("torch=="))
    install(kind, torch)  # by its exact version and first: a range would pull the newest CUDA build
    wanted = PEERS if kind == "peers" else ("-e", f"{ROOT}[{EXTRAS[kind]}]")
    install(kind, "-c", str(pinned(kind)), *wanted)
    for done in (kind, *weaker(kind)):
        stamp(done).write_text(fingerprint(done))


def create_venv(kind: str) -> None:
    """Create the environment's folder, or say what is missing."""
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
    if not python_of(kind).exists():
        venv.create(venv_of(kind), with_pip=True, clear=venv_of(kind).exists())


def install(kind: str, *arguments: str) -> None:
    """Run pip inside the environment; on failure end with its exit code."""
    command = [str(python_of(kind)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit(f"{result.stderr}\npip could not install {arguments[-1]} (exit {result.returncode}); see above")


def venv_of(kind: str) -> Path:
    """Folder of the environment."""
    return ROOT / (".venv-peers" if kind == "peers" else ".venv")


def python_of(kind: str) -> Path:
    """Interpreter of the environment."""
    return venv_of(kind) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def pinned(kind: str) -> Path:
    """File that pins every version."""
    return ROOT / ("constraints-peers.txt" if kind == "peers" else "constraints.txt")


def pins(kind: str) -> list[str]:
    """Lines of the constraints that pin a version."""
    lines = pinned(kind).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "==" in line]


def fingerprint(kind: str) -> str:
    """Hash of everything the environment is made from."""
    wanted = " ".join(PEERS).encode() if kind == "peers" else (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(b"\0".join([wanted, pinned(kind).read_bytes(), sys.version.encode()])).hexdigest()


def stamp(kind: str) -> Path:
    """File that says the environment of this kind is complete."""
    return venv_of(kind) / f".made-{kind}"


def weaker(kind: str) -> tuple[str, ...]:
    """Kinds that this one includes."""
    return {"dev": ("runtime",), "docs": ("runtime", "dev")}.get(kind, ())


def is_made(kind: str) -> bool:
    """True when the environment is complete and made from the same files."""
    return python_of(kind).exists() and stamp(kind).exists() and stamp(kind).read_text() == fingerprint(kind)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    main(sys.argv[1])
