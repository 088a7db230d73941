"""Source → Raw for a Delta table of someone else's: all of it, or the rows that came since the last version read.

Options of the source: `root` (a folder of tables) or none (tables of the catalog); the object is a path below it, or a name. With
read_mode `incremental` the watermark is the table's version; a table with a change feed gives its changes, one that is only
appended to its new rows."""

from __future__ import annotations

import os
from typing import Any

from pyspark.sql import DataFrame

from ..context import Context
from ..errors import fail
from ..names import quote
from .manifests import (
    Manifest,
    clear_attempt,
    empty_manifest,
    read_manifest,
    seq_dir,
    write_manifest,
)
from .parquet_files import stored_files, write_parquet


def extract(context: Context, step: dict[str, Any], watermark: str | None) -> Manifest:
    """Raises path_outside, source_object_missing."""
    lake, source, raw = context.lake, step["source"]["name"], step["name"]
    seq, batch_id = context.input["seq"], context.input["batch_id"]
    done = read_manifest(lake, source, raw, seq)
    if done is not None:
        return done
    folder = seq_dir(lake, source, raw, seq)
    clear_attempt(folder)
    ident = _ident(step)
    try:
        newest = context.spark.sql(f"describe history {ident} limit 1").first()
    except Exception:
        return fail("source_object_missing", object=step["object"][:200])
    version = int(newest["version"])
    incremental = step["read_mode"] == "incremental"
    if incremental and watermark is not None and int(watermark) >= version:
        return empty_manifest(step, seq, batch_id, watermark=watermark)
    rows = _rows(context, ident, int(watermark) if incremental and watermark else None, version)
    write_parquet(rows, folder)
    files = stored_files(lake, step, folder, step["object"])
    manifest = empty_manifest(
        step,
        seq,
        batch_id,
        files=files,
        columns=[
            {
                "name": field.name,
                "source_name": field.name,
                "type": field.dataType.simpleString(),
                "nullable": True,
            }
            for field in rows.schema.fields
        ],
        watermark=str(version) if incremental else None,
        rows=sum(file["rows"] or 0 for file in files),
    )
    write_manifest(lake, manifest)
    return manifest


def _ident(step: dict[str, Any]) -> str:
    root, object = step["source"]["options"].get("root"), step["object"]
    if root is None:
        return ".".join(quote(part) for part in object.split("."))
    path = os.path.realpath(os.path.join(root, object))
    if os.path.commonpath([os.path.realpath(root), path]) != os.path.realpath(root):
        fail("path_outside", path=object[:300])
    return f"delta.{quote(path)}"


def _rows(context: Context, ident: str, since: int | None, version: int) -> DataFrame:
    if since is None:
        return context.spark.sql(f"select * from {ident} version as of {version}")
    detail = context.spark.sql(f"describe detail {ident}").first()
    if (detail["properties"] or {}).get("delta.enableChangeDataFeed") == "true":
        # Changes keep their kind as a column: `_change_type`, as the feed calls it.
        return (
            context.spark.read.option("readChangeFeed", "true")
            .option("startingVersion", since + 1)
            .option("endingVersion", version)
            .table(ident)
            .where("_change_type <> 'update_preimage'")
        )
    before = context.spark.sql(f"select * from {ident} version as of {since}").inputFiles()
    now = context.spark.sql(f"select * from {ident} version as of {version}")
    fresh = [path for path in now.inputFiles() if path not in set(before)]
    if not fresh:
        return now.limit(0)
    return context.spark.read.schema(now.schema).parquet(*fresh)
