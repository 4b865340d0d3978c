"""What is derived from texts and vectors: codes, a faiss index, postings of words."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bertsmith.search.approximate import Approximate, has_faiss, require_faiss
from bertsmith.search.bm25 import TEXTS_AT_ONCE, Postings
from bertsmith.search.columns import GrowingFolder, Texts, mapped
from bertsmith.search.entries import TEXTS, blocks_of
from bertsmith.search.layout import ApproximateNote, Manifest, StoredFile
from bertsmith.search.settings import Auto, Exact, Hnsw, Ivf
from bertsmith.search.vectors import CODES, SCALES, coded, learned_scales, open_vectors

ROWS_AT_ONCE = 16_384
RESCORE = 10
"""Candidates a neighbour that is wanted, when the effort of a search is found."""
TAIL_SHARE, TAIL_ROWS = 0.1, 20_000
"""Added vectors are compared one by one until they are more than this; then faiss takes them in."""

Say = Callable[[str], None]


def derive(data: Path, known: Manifest, grown: Manifest, *, say: Say) -> Manifest:
    """Bring everything derived up to the rows of `grown`; `known` is what stood before.

    Raises:
        UserError: faiss is needed and missing, or the disk is full.
    """
    made = _chosen(grown, say)
    match made.chosen:
        case Exact(codes="int8"):
            made = _with_codes(data, known, made)
        case Hnsw() | Ivf() as kind:
            made = _with_approximate(data, made, kind, say)
    if made.settings.words is not None:
        made = _with_postings(data, known, made, say)
    return made


def _chosen(manifest: Manifest, say: Say) -> Manifest:
    """Decide what `auto` means, and say it; an index that grows beyond what is good for exact search changes."""
    kind, rows = manifest.settings.neighbours, manifest.live_rows
    if not isinstance(kind, Auto):
        return manifest.but(chosen=kind)
    if isinstance(manifest.chosen, Hnsw):
        return manifest
    beyond = f"{rows:,} vectors are more than {kind.exact_up_to:,}"
    if rows <= kind.exact_up_to:
        chosen: Exact | Hnsw = Exact()
        why = f"kind auto: exact: {rows:,} vectors are compared one by one (up to {kind.exact_up_to:,})"
    elif has_faiss():
        chosen, why = Hnsw(), f"kind auto: hnsw: {beyond}"
    else:
        chosen = Exact(codes="int8")
        advice = "searches will be slow. For a faster index: pip install 'bertsmith[ann]'"
        why = f"kind auto: exact, in codes of one byte: {beyond}, but faiss is not installed; {advice}"
    if chosen == manifest.chosen:
        return manifest
    say(why)
    return manifest.but(chosen=chosen, notes=(why,))


def _with_codes(data: Path, known: Manifest, made: Manifest) -> Manifest:
    vectors = open_vectors(data, made.settings.vectors, made.rows, made.width)
    learned = SCALES in known.files
    with GrowingFolder(data, known.files) as growing:
        if learned:
            scales = np.array(mapped(data / SCALES, np.dtype("<f4"), (2, made.width)))
        else:
            scales = learned_scales(vectors)
            growing.file(SCALES).append(scales.astype("<f4").tobytes())
        codes = growing.file(CODES)
        for first in range(known.rows if learned else 0, made.rows, ROWS_AT_ONCE):
            codes.append(coded(vectors[first : first + ROWS_AT_ONCE], scales).tobytes())
        return made.but(files={**made.files, **growing.close()})


def _with_approximate(data: Path, made: Manifest, kind: Hnsw | Ivf, say: Say) -> Manifest:
    note = made.approximate
    tail = made.rows - (note.rows if note else 0)
    if note is not None and tail <= max(TAIL_ROWS, TAIL_SHARE * made.rows):
        return made
    vectors = open_vectors(data, made.settings.vectors, made.rows, made.width)
    require_faiss(f"an index of kind {kind.kind}")
    if note is None:
        index = Approximate.built(vectors, kind, say=say)
    else:
        index = Approximate.read(data / note.file, kind, rows=note.rows, effort=note.effort)
        index.add(vectors, say=say)
    recall = index.tune(vectors, rescore=RESCORE)
    short = "" if recall >= kind.recall else f"; {kind.recall:g} was asked for, but more effort finds no more"
    say(f"{kind.kind}: recall@10 {recall:.4f} between its own vectors, at effort {index.effort}{short}")
    path = data / f"{kind.kind}-{made.rows}.faiss"
    index.write(path)
    files = {name: file for name, file in made.files.items() if note is None or name != note.file}
    told = ApproximateNote(file=path.name, rows=made.rows, effort=index.effort, recall=recall)
    return made.but(files={**files, path.name: _summed(path)}, approximate=told)


def _with_postings(data: Path, known: Manifest, made: Manifest, say: Say) -> Manifest:
    """Count the words of the new texts; the last, small files of postings are made again with them."""
    assert made.settings.words is not None
    kept, first = _mergeable(known, made)
    files = {name: file for name, file in made.files.items() if name not in made.postings or name in kept}
    texts, names = Texts.open(data, TEXTS, made.rows), list(kept)
    for start, some in blocks_of(texts, first, made.rows, TEXTS_AT_ONCE):
        name = f"words-{start}-{start + len(some)}.bin"
        files[name] = Postings.of(some, start, made.settings.words).write(data / name)
        names.append(name)
        say(f"counted the words of {start + len(some):,} of {made.rows:,} texts")
    return made.but(files=files, postings=tuple(names))


def _mergeable(known: Manifest, made: Manifest) -> tuple[tuple[str, ...], int]:
    """The files of postings that stay, and the row from which on texts are counted (again).

    A file is made again with what comes after it where that is at least as much: few files, little done twice.
    """
    kept, first = list(made.postings), known.rows if made.postings else 0
    while kept:
        start, stop = (int(part) for part in kept[-1].removesuffix(".bin").split("-")[1:])
        if stop - start > made.rows - first or made.rows - start > TEXTS_AT_ONCE:
            break
        first = start
        kept.pop()
    return tuple(kept), first


def _summed(path: Path) -> StoredFile:
    checksum = size = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            checksum, size = zlib.crc32(chunk, checksum), size + len(chunk)
    return StoredFile(size=size, checksum=checksum)
