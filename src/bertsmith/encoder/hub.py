"""From a name to a folder: a bundled encoder, a local folder, the hub's local cache, the hub itself."""

import difflib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bertsmith.assets
from bertsmith.errors import UserError
from bertsmith.files import writing

PROBE_SECONDS = 2.0
"""How long the hub may take to answer at all, before we say that it cannot be reached."""

_NAME = re.compile(r"(?P<repository>(?:\w[\w.-]*/)?\w[\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_BESIDE_WEIGHTS = re.compile(r"[^/]+\.(?:json|txt|model)|\d+_\w+/(?:config\.json|model\.safetensors)")
_WEIGHTS = (
    re.compile(r"model\.safetensors"),
    re.compile(r"model-\d+-of-\d+\.safetensors"),
    re.compile(r"pytorch_model\.bin"),
    re.compile(r"pytorch_model-\d+-of-\d+\.bin"),
)
"""In order of preference; a pickled file only where there is nothing better."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the hub at a branch, tag or commit."""

    name: str
    revision: str = "main"

    def __str__(self) -> str:
        return self.name if self.revision == "main" else f"{self.name}@{self.revision}"


def resolve(source: str | Path) -> Path:
    """Find the folder of a model by its name.

    Tried in this order: a bundled encoder, a local folder, `org/name[@revision]` in the hub's
    local cache, the hub. HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE are read
    when this is called.

    Raises:
        UserError: there is nothing of that name, the hub refuses it, or it cannot be reached
            (said within three seconds).
    """
    name = str(source)
    if name in bundled_names():
        return _bundled_folder() / name
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    repository = _repository(name)
    if repository is None or folder.is_file():
        raise _no_such_model(name, folder)
    return _cached(repository) or _download(repository)


def bundled_names() -> tuple[str, ...]:
    """The encoders that come with the package."""
    return tuple(sorted(path.parent.name for path in _bundled_folder().glob("*/config.json")))


def _bundled_folder() -> Path:
    return Path(bertsmith.assets.__path__[0]) / "encoders"


def _repository(name: str) -> Repository | None:
    found = _NAME.fullmatch(name)
    return Repository(found["repository"], found["revision"] or "main") if found else None


# The local cache, in the layout every tool of the ecosystem shares.


def _cache_folder() -> Path:
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.path.expandvars(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")).expanduser()


def _cached(repository: Repository) -> Path | None:
    """The snapshot in the cache, if the weights have arrived; they are fetched last."""
    storage = _cache_folder() / f"models--{repository.name.replace('/', '--')}"
    reference = storage / "refs" / repository.revision
    commit = reference.read_text().strip() if reference.is_file() else repository.revision
    snapshot = storage / "snapshots" / commit
    return snapshot if _is_complete(snapshot) else None


def _is_complete(snapshot: Path) -> bool:
    if not (snapshot / "config.json").is_file():
        return False
    weights = [path.name for path in snapshot.iterdir() if path.is_file()]
    shards = [re.search(r"-of-(\d+)\.", name) for name in _weights(weights)]
    return bool(shards) and all(shard is None or int(shard[1]) == len(shards) for shard in shards)


def _cached_names() -> list[str]:
    return [path.name.removeprefix("models--").replace("--", "/") for path in _cache_folder().glob("models--*")]


# The hub.


def _download(repository: Repository) -> Path:
    """Fetch what an encoder needs, the weights last, so that weights in the cache mean a whole snapshot."""
    if _is_offline():
        raise _not_found(repository, "the hub was not asked, since HF_HUB_OFFLINE is set", code="offline")
    endpoint = _endpoint()
    problem = _probe(endpoint)
    if problem is not None:
        raise _not_found(repository, f"{endpoint} cannot be reached ({problem})", code="unreachable")
    with writing(_cache_folder()), _explained(repository, endpoint):
        beside, weights = _wanted(repository, _listed(repository, endpoint))
        _fetch(repository, endpoint, beside)
        return _fetch(repository, endpoint, weights)


def _endpoint() -> str:
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _is_offline() -> bool:
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return said.upper() in {"1", "ON", "YES", "TRUE"}


def _probe(endpoint: str) -> str | None:
    """Ask the hub for any answer at all; why there was none, or None.

    In a thread, since looking up a host's address knows no time limit.
    """
    from huggingface_hub import get_session

    problems = [f"no answer within {PROBE_SECONDS:g} s"]

    def ask() -> None:
        try:
            get_session().head(endpoint, timeout=PROBE_SECONDS)
            problems.clear()
        except Exception as error:  # whatever the network does, it is the reason
            problems[:] = [str(error) or type(error).__name__]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return problems[0] if problems else None


def _listed(repository: Repository, endpoint: str) -> list[str]:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint, token=os.environ.get("HF_TOKEN") or None)
    return list(api.list_repo_files(repository.name, revision=repository.revision))


def _fetch(repository: Repository, endpoint: str, files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        repository.name,
        revision=repository.revision,
        cache_dir=_cache_folder(),
        endpoint=endpoint,
        token=os.environ.get("HF_TOKEN") or None,
        allow_patterns=list(files),
    )
    return Path(folder)


def _wanted(repository: Repository, files: Sequence[str]) -> tuple[list[str], list[str]]:
    weights = _weights(files)
    if not weights or "config.json" not in files:
        raise UserError(
            f"{repository} on the hub is no encoder to load: config.json and model.safetensors (or pytorch_model.bin) "
            f"are needed, it has {', '.join(sorted(files)[:8]) or 'no files'}; choose another repository",
            code="not_an_encoder",
            where=str(repository),
        )
    return [name for name in files if _BESIDE_WEIGHTS.fullmatch(name)], weights


def _weights(files: Sequence[str]) -> list[str]:
    """The files of the best kind of weights there is."""
    kinds = ([name for name in files if pattern.fullmatch(name)] for pattern in _WEIGHTS)
    return next((names for names in kinds if names), [])


# What went wrong, and the way out.


@contextmanager
def _explained(repository: Repository, endpoint: str) -> Iterator[None]:
    """Turn the hub's refusals into a `UserError`."""
    from huggingface_hub import errors

    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    broken_off = (http_error, errors.LocalEntryNotFoundError, errors.FileMetadataError, ConnectionError)
    where = str(repository)
    try:
        yield
    except errors.GatedRepoError as error:
        message = f"{where} is gated: accept its terms on {endpoint}/{repository.name} and set HF_TOKEN"
        raise UserError(message, code="gated", where=where) from error
    except errors.RevisionNotFoundError as error:
        message = f"{repository.name} on {endpoint} has no revision {repository.revision!r}; check the name after @"
        raise UserError(message, code="not_found", where=where) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403, 404):
            told = f"{endpoint} has no such repository, or it is private (then set HF_TOKEN)"
            raise _not_found(repository, told, code="not_found") from error
        message = f"{endpoint} answered {status} for {where}; try again later"
        raise UserError(message, code="unreachable", where=where) from error
    except broken_off as error:
        message = f"the connection to {endpoint} broke while fetching {where} ({error}); run it again, it goes on"
        raise UserError(message, code="unreachable", where=where) from error


def _not_found(repository: Repository, told: str, *, code: str) -> UserError:
    message = (
        f"no model {str(repository)!r}: it is none of the bundled encoders ({', '.join(bundled_names()) or 'none'}), "
        f"not a folder here, not in the local cache {_cache_folder()}, and {told}.{_near(repository.name)} "
        "Give the path of a folder with config.json and model.safetensors, or org/name[@revision] of a hub"
    )
    return UserError(message, code=code, where=str(repository))


def _no_such_model(name: str, folder: Path) -> UserError:
    if folder.with_name(f"{folder.name.removesuffix('.index')}.index").is_file():
        raise UserError(
            f"{name} is a TensorFlow checkpoint; turn it into a folder that every command reads: "
            f"bertsmith convert --from {name} --out DIR",
            code="tensorflow_checkpoint",
            where=name,
        )
    fact = "that is a file, not a folder" if folder.is_file() else "there is no such folder, and it is no hub name"
    message = (
        f"no model {name!r}: {fact} (bundled encoders: {', '.join(bundled_names()) or 'none'}).{_near(name)} "
        "Give the path of a folder with config.json and model.safetensors, or org/name[@revision] of a hub"
    )
    return UserError(message, code="not_found", where=name)


def _near(name: str) -> str:
    folder = Path(name).expanduser()
    try:
        beside = [str(folder.with_name(path.name)) for path in folder.parent.iterdir() if path.is_dir()]
    except (OSError, ValueError):
        beside = []
    near = difflib.get_close_matches(name, [*bundled_names(), *_cached_names(), *beside], n=3, cutoff=0.7)
    return f" Did you mean {' or '.join(near)}?" if near else ""
