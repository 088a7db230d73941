"""Rows that were read from a source as raw Parquet files, and how a manifest tells of them."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from pyspark.sql import DataFrame

from ..lake import Lake, sync_dir
from .manifests import stored_name


def write_parquet(rows: DataFrame, folder: str) -> None:
    """Writes all rows below a batch's folder; nothing there counts before the manifest."""
    rows.write.mode("overwrite").option("compression", "zstd").parquet(folder)


def stored_files(
    lake: Lake, step: dict[str, Any], folder: str, source_path: str
) -> list[dict[str, Any]]:
    """The files that Spark left in a folder, renamed to names of ours, made to last, with their hashes."""
    parts = sorted(name for name in os.listdir(folder) if name.endswith(".parquet"))
    files = []
    for part in parts:
        path = os.path.join(folder, part)
        name = stored_name(len(files) + 1, f"{step['name']}.parquet")
        os.replace(path, os.path.join(folder, name))
        files.append(_described(lake, step, os.path.join(folder, name), source_path))
    for name in os.listdir(folder):
        if not name.endswith(".parquet") or name.startswith("."):
            os.unlink(os.path.join(folder, name))
    sync_dir(folder)
    return files


def _described(lake: Lake, step: dict[str, Any], path: str, source_path: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while data := stream.read(1024 * 1024):
            digest.update(data)
        os.fsync(stream.fileno())
    return {
        "path": os.path.relpath(path, lake.raw_dir(step["source"]["name"], step["name"])),
        "source_path": source_path,
        "size": os.path.getsize(path),
        "sha256": digest.hexdigest(),
        "rows": None,
        "source_modified_at": None,
    }
