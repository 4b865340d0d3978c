"""`bertsmith index`: texts to an index on disk; texts added and deleted."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from bertsmith.cli.options import CommonOptions, RunOptions, nested
from bertsmith.cli.output import print_json, to_stderr


def index(
    *,
    out: Path,
    model: str | None = None,
    input: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    kind: Literal["auto", "exact", "hnsw", "ivf"] | None = None,
    hybrid: Annotated[bool, Parameter(negative=())] = False,
    columns: str | None = None,
    id: str | None = None,
    add: Annotated[bool, Parameter(negative=())] = False,
    delete: Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)] = None,
    delete_file: Path | None = None,
    compact: Annotated[bool, Parameter(negative=())] = False,
    verify: Annotated[bool, Parameter(negative=())] = False,
    run: RunOptions | None = None,
    common: CommonOptions | None = None,
) -> None:
    """Index texts by their meaning, for `bertsmith search`. Columns beside text and id are kept with them.

    Example: bertsmith index --model my-encoder --input faq.csv --out faq-index

    Add and delete later: `--add --input more.csv`, `--delete 17 18`. Searches see the old index until a change is done.

    Parameters
    ----------
    out
        Folder of the index.
    model
        Sentence encoder, or any encoder with a pooling: a folder, a bundled name or a hub id.
    input
        Texts: .txt, one a line; .csv, .tsv, .jsonl or .parquet; `-` reads JSON lines from stdin.
    kind
        exact compares every vector; hnsw and ivf (faiss) are for millions; auto (default) chooses by their number.
    hybrid
        Also count words, so that `search --hybrid` can join BM25 with the vectors.
    columns
        Names of the columns, as text=sentence.
    id
        Column of ids; by default id, doc_id or _id, else rows are numbered from 0.
    add
        Add the texts to the index that is there.
    delete
        Delete the texts of these ids.
    delete_file
        Delete the texts of the ids in this file: .txt, one a line, or a file with a column of ids.
    compact
        Rewrite the index without its deleted texts; done by itself once they are 30 %.
    verify
        Compare the checksum of every file.
    """
    common, run = common or CommonOptions(), run or RunOptions()
    asked = Asked(out, add=add, delete=delete, delete_file=delete_file, compact=compact, verify=verify)
    asked.require_one(input)
    given = nested(
        {
            "encoder.source": model,
            "input": None if input is None else str(input),
            "index.neighbours.kind": kind,
            "index.words": {} if hybrid else None,
            "id_column": id,
            "encoding": common.encoding,
            "device": common.device,
        }
    )
    summary = asked.change(common, model) if not asked.texts else asked.write(given, columns, run, common)
    if common.json:
        print_json(summary)
    else:
        print_summary(summary, asked.said)


class Asked:
    """What is to happen to the index in a folder."""

    def __init__(
        self,
        out: Path,
        *,
        add: bool,
        delete: list[str] | None,
        delete_file: Path | None,
        compact: bool,
        verify: bool,
    ) -> None:
        self.out = out
        self.add = add
        self.delete = delete or []
        self.delete_file = delete_file
        self.compact = compact
        self.verify = verify
        self.said: set[str] = set()
        self.texts = not (self.delete or delete_file or compact or verify)

    def require_one(self, source: Path | None) -> None:
        """Make sure that one thing is asked for.

        Raises:
            UserError: nothing, or several things at once.
        """
        from bertsmith.errors import UserError

        deletes = bool(self.delete or self.delete_file)
        wanted = [deletes, self.compact, self.verify, source is not None or self.add]
        if sum(wanted) > 1:
            message = "texts are added, deleted, or the index compacted or verified: give one of these at a time"
            raise UserError(message, code="bad_usage")
        if self.texts and self.add and source is None:
            raise UserError("--add needs --input: the file of the texts to add", code="bad_usage")

    def say(self, message: str) -> None:
        """Say a line beside the output, and remember that it was said."""
        self.said.add(message)
        to_stderr(message)

    def change(self, common: CommonOptions, model: str | None) -> dict[str, Any]:
        """Delete, compact or verify."""
        from bertsmith.recipes.search_reading import read_ids
        from bertsmith.search import compact, delete, read_manifest, verify

        summary: dict[str, Any] = {"out": str(self.out)}
        if self.verify:
            return {**summary, "bytes": verify(self.out), "rows": read_manifest(self.out).live_rows}
        if self.compact:
            return {**summary, "rows": compact(self.out, say=to_stderr).live_rows, "compacted": True}
        ids = list(self.delete)
        if self.delete_file is not None:
            ids += read_ids(self.delete_file, encoding=common.encoding or "utf-8")
        gone = delete(self.out, ids, say=to_stderr)
        return {
            **summary,
            "deleted": gone.rows,
            "compacted": gone.compacted,
            "rows": read_manifest(self.out).live_rows,
        }

    def write(
        self, given: dict[str, Any], columns: str | None, run: RunOptions, common: CommonOptions
    ) -> dict[str, Any]:
        """Make an index, or add to it."""
        from bertsmith.data import Columns
        from bertsmith.recipes import IndexRecipe, entries_of, extend_index, index_recipe, make_index, parse_recipe

        if columns:
            given["columns"] = Columns.parse(columns).model_dump()
        if not self.add:
            recipe = index_recipe(given=given, file=common.recipe, settings=common.settings)
            made = make_index(recipe, self.out, resume=run.resume, overwrite=run.overwrite, say=self.say)
            return made.summary()
        model = given.get("encoder", {}).get("source")
        given |= {"encoder": {"source": model or ""}}
        recipe = parse_recipe(IndexRecipe, given=given, file=common.recipe, settings=common.settings)
        added = extend_index(self.out, entries_of(recipe), model=model, device=recipe.device, say=self.say)
        return added.summary()


def print_summary(summary: dict[str, Any], said: set[str]) -> None:
    """Print the outcome for people; what was said on the way is not said again."""
    if "added" in summary:
        for note in summary["notes"]:
            if note not in said:
                print(f"  {note}")
        kind = summary["kind"] + (f" (recall@10 {summary['recall']:.4f})" if "recall" in summary else "")
        words = ", with words" if summary["words"] else ""
        print(f"{summary['added']:,} texts indexed in {summary['seconds']:.1f} s: {kind}{words}, dim {summary['dim']}")
    if "deleted" in summary:
        print(f"{summary['deleted']:,} texts deleted{', index rewritten' if summary['compacted'] else ''}")
    size = f", {summary['bytes'] / 1e6:,.1f} MB" if "bytes" in summary else ""
    print(f"index: {summary['out']}  ({summary['rows']:,} texts{size})")
