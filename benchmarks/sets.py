"""The labelled sets the benchmarks read; `--data` names the folder that holds `classification/`."""

from dataclasses import dataclass
from pathlib import Path

from bertsmith.data import Columns, read_records
from jobs import Texts


@dataclass(frozen=True)
class DataSet:
    """Where the splits of a set lie, and what their columns are called."""

    folder: str
    train: str
    test: str
    dev: str | None = None
    columns: str = "text=text,label=label"

    def read(self, data: Path, split: str) -> Texts:
        """One split, read as bertsmith reads any file."""
        path = data / "classification" / self.folder / getattr(self, split)
        records = list(read_records(path, Columns.parse(self.columns), pairs="ignored"))
        return Texts(tuple(record.text for record in records), tuple(str(record.label) for record in records))


TREC = DataSet("en_trec", train="train.tsv", test="test.tsv", columns="text=text,label=coarse")
SST2 = DataSet("en_sst2", train="train.tsv", dev="dev.tsv", test="test.tsv")
IMDB = DataSet("en_imdb_5k", train="train.jsonl.gz", test="test.jsonl.gz")
THUCNEWS = DataSet("zh_thucnews_title", train="train_45k.tsv.gz", dev="dev.tsv", test="test.tsv")
