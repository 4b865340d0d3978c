"""A corpus as token shards on disk: built once, in parallel, resumable; read anywhere, at any size."""

from bertsmith.data.shards.annotating import Annotator
from bertsmith.data.shards.building import BuildEvent, Built, Noted, build_shards
from bertsmith.data.shards.layout import DOCUMENT, ENTITY, INSIDE, LINE, WORD, ShardMeta, TokenRun
from bertsmith.data.shards.shardset import ShardSet

__all__ = [
    "DOCUMENT",
    "ENTITY",
    "INSIDE",
    "LINE",
    "WORD",
    "Annotator",
    "BuildEvent",
    "Built",
    "Noted",
    "ShardMeta",
    "ShardSet",
    "TokenRun",
    "build_shards",
]
