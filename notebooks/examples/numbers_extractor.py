"""An extractor of one's own: each batch reads the next numbers of a counter, `object` of them.

A raw config names it by `extractor: numbers_extractor`. It writes Parquet files below the batch's folder and commits them by
the manifest, which carries the watermark: where the next batch goes on."""

from __future__ import annotations

from typing import Any

from lakeforge.context import Context
from lakeforge.extractors.manifests import (
    Manifest,
    clear_attempt,
    empty_manifest,
    read_manifest,
    seq_dir,
    write_manifest,
)
from lakeforge.extractors.parquet_files import stored_files, write_parquet


def extract(context: Context, step: dict[str, Any], watermark: str | None) -> Manifest:
    source, raw, seq = step["source"]["name"], step["name"], context.input["seq"]
    done = read_manifest(context.lake, source, raw, seq)
    if done is not None:
        return done
    folder = seq_dir(context.lake, source, raw, seq)
    clear_attempt(folder)
    start = int(watermark or 0)
    end = start + int(step["object"])
    write_parquet(
        context.spark.range(start, end).selectExpr("id as n", "id * id as square"), folder
    )
    names = ("n", "square")
    manifest = empty_manifest(
        step,
        seq,
        context.input["batch_id"],
        files=stored_files(context.lake, step, folder, "counter"),
        columns=[
            {"name": name, "source_name": name, "type": "bigint", "nullable": True}
            for name in names
        ],
        watermark=str(end),
        rows=end - start,
    )
    write_manifest(context.lake, manifest)
    return manifest
