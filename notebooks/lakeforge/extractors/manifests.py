"""The manifest of one raw object and batch: the commit point of Source → Raw. It says which files there are, where they came
from, and up to where the source has been read."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
from typing import Any

from ..errors import fail
from ..lake import Lake, write_durable

Manifest = dict[str, Any]
_NEEDED = ("seq", "batch_id", "files", "columns", "cursor", "watermark", "rows")


def seq_dir(lake: Lake, source: str, raw: str, seq: str) -> str:
    return os.path.join(lake.raw_dir(source, raw), f"seq={seq}")


def read_manifest(lake: Lake, source: str, raw: str, seq: str) -> Manifest | None:
    """None when that batch hasn't committed its raw files. Raises manifest_corrupt."""
    path = os.path.join(seq_dir(lake, source, raw, seq), "manifest.json")
    try:
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        return fail("manifest_corrupt", path=path)
    if not isinstance(manifest, dict) or any(name not in manifest for name in _NEEDED):
        fail("manifest_corrupt", path=path)
    return manifest


def read_manifests(
    lake: Lake, source: str, raw: str, after: int | None = None, before: int | None = None
) -> list[Manifest]:
    """All manifests of a raw object, in order of seq; `after` and `before` are exclusive bounds."""
    try:
        names = os.listdir(lake.raw_dir(source, raw))
    except FileNotFoundError:
        return []
    seqs = sorted(
        int(found[1]) for name in names if (found := re.fullmatch(r"seq=(\d{1,19})", name))
    )
    found = [
        read_manifest(lake, source, raw, str(seq))
        for seq in seqs
        if (after is None or seq > after) and (before is None or seq < before)
    ]
    return [manifest for manifest in found if manifest is not None]


def empty_manifest(step: dict[str, Any], seq: str, batch_id: str, **more: Any) -> Manifest:
    """A manifest without files."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "version": 1,
        "source": step["source"]["name"],
        "raw_config": step["name"],
        "raw_config_id": step["config_id"],
        "seq": seq,
        "batch_id": batch_id,
        "created_at": now,
        "read_mode": step["read_mode"],
        "format": step["format"],
        "files": [],
        "columns": [],
        "cursor": None,
        "watermark": None,
        "rows": None,
        **more,
    }


def write_manifest(lake: Lake, manifest: Manifest) -> None:
    """Commits a batch's raw files. They must last already."""
    folder = seq_dir(lake, manifest["source"], manifest["raw_config"], manifest["seq"])
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    write_durable(os.path.join(folder, "manifest.json"), f"{text}\n")


def clear_attempt(folder: str) -> None:
    """Removes what a crashed attempt left in a batch's folder. Only for a folder without a manifest."""
    shutil.rmtree(folder, ignore_errors=True)


def stored_name(n: int, path: str) -> str:
    """`00001-orders.csv.gz`: in order, and free of anything that a shell, a glob or an address would read as more."""
    stem, last = os.path.splitext(path.rsplit("/", 1)[-1])
    clean = re.compile(r"[^A-Za-z0-9._-]+")
    return f"{n:05d}-{clean.sub('_', stem)[-80:]}{clean.sub('_', last)[:16]}"
