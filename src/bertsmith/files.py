"""Writing files so that nothing is ever half-written, and saying clearly why a file cannot be."""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bertsmith.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_REASONS = {
    errno.ENOSPC: ("disk_full", "the disk is full; free some space or choose another place"),
    errno.EDQUOT: ("disk_full", "the disk quota is used up; free some space or choose another place"),
    errno.EFBIG: ("disk_full", "the file would exceed the size limit of this process or disk"),
    errno.EACCES: ("not_writable", "no permission to write there; choose another place"),
    errno.EPERM: ("not_writable", "writing there is not permitted; choose another place"),
    errno.EROFS: ("not_writable", "that disk is read-only; choose another place"),
    errno.ENOTDIR: ("not_a_folder", "a part of the path is a file, not a folder"),
    errno.EEXIST: ("not_a_folder", "a part of the path is a file, not a folder"),
    errno.ENOENT: ("not_writable", "new files cannot be made there; choose another place"),
    errno.EISDIR: ("not_a_file", "that is a folder, not a file"),
    errno.ENAMETOOLONG: ("bad_path", "the path is too long"),
}

_OTHER_LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\u0085\u2028\u2029"})

LOCK = ".lock"
"""The file by which a process holds a folder alone; it stays behind, and means nothing by itself."""


def locked(folder: Path) -> IO[str] | None:
    """The open lock of a folder, which is this process's until it is closed; None: another process has it.

    The operating system lets go of it when the process ends, however it ends. On Windows, and on disks without locks,
    everyone gets it.
    """
    path = folder / LOCK
    while True:
        file = path.open("w")
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            return file
        except BlockingIOError:
            file.close()
            return None
        except OSError:  # a disk without locks
            return file
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()  # whoever had it removed it meanwhile: another process may have made a new one


def json_line(values: Any, **how: Any) -> str:
    """The values as JSON in one line, without its end, for whatever means to read lines.

    Letters stay as they are, but what some readers (`str.splitlines`, JavaScript) take for the end of a
    line is escaped. `how` goes to `json.dumps`.
    """
    return json.dumps(values, ensure_ascii=False, **how).translate(_OTHER_LINE_ENDS)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing `path` into a `UserError`.

    A reader that went away (`| head`) refuses nothing: that error passes.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _refusal(path, error) from error


def explained(error: OSError) -> UserError | None:
    """What the user can do about an error of the operating system; None if it is a bug of ours."""
    fixable = error.errno in _REASONS.keys() - {errno.ENOENT, errno.EEXIST}
    return _refusal(error.filename or "the output", error) if fixable else None


def _refusal(path: object, error: OSError) -> UserError:
    code, advice = _REASONS.get(error.errno or 0, ("not_writable", error.strerror or str(error)))
    verb = "use" if code == "bad_path" else "write"
    return UserError(f"cannot {verb} {path}: {advice}", code=code, where=str(path))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes `path`'s place only if the block succeeds.

    A special file such as `/dev/full` or `/dev/stdout` is written directly.

    Raises:
        UserError: the disk is full or the place cannot be written.
    """
    with writing(path):
        if path.exists() and not path.is_file():
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _settle(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a binary file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]", *, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, atomically.

    Raises:
        UserError: the disk is full or the place cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with atomic_path(path) as temporary:
        try:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                temporary,
                metadata={"format": "pt", **(metadata or {})},
            )
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(int(number.group(1)) if number else 0, str(error)) from error


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; it takes `folder`'s place only if the block succeeds.

    Raises:
        UserError: the disk is full or the place cannot be written.
    """
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        os.chmod(temporary, 0o777 & ~_umask())
        try:
            yield temporary
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def require_output_folder(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Make sure a run may write into `folder`: it is new, empty but for a lock, resumed or to be overwritten.

    Nothing stays behind: a folder made to try it is removed again.

    Raises:
        UserError: it is a file, holds something already, or cannot be written.
    """
    advice = "choose another folder, go on with --resume, or replace it with --overwrite"
    _require_writable(folder, "--out", None if overwrite or resume else advice)


def require_new_folder(folder: Path, *, option: str) -> None:
    """Make sure that `folder`, given by this option, is new or empty, where nothing is gone on with or replaced.

    Raises:
        UserError: it is a file, holds something already, or cannot be written.
    """
    _require_writable(folder, option, "choose another folder")


def _require_writable(folder: Path, option: str, advice: str | None) -> None:
    """`advice` says the way out where the folder holds something; None: it may."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{option} {folder} is a file, a folder is needed", code="not_a_folder", where=str(folder))
    if advice and folder.exists() and any(path.name != LOCK for path in folder.iterdir()):
        raise UserError(f"{option} {folder} is not empty; {advice}", code="out_not_empty", where=str(folder))
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    with writing(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".probe.", dir=folder)
            os.close(handle)
            os.unlink(name)
        finally:
            for path in filter(Path.exists, new):
                path.rmdir()


def _settle(temporary: Path) -> None:
    """Give the file the usual permissions and push it to the disk before it gets its name."""
    os.chmod(temporary, 0o666 & ~_umask())
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
