"""Source → Raw: the source's new data as it came, committed by its manifest, which carries the watermark."""

from __future__ import annotations

import hashlib
import os

from .context import Context
from .errors import fail
from .extractors import extractor_of
from .extractors.manifests import Manifest, read_manifest, read_manifests
from .plan import Step
from .report import Outcome, empty_outcome


def run_raw(context: Context, step: Step) -> Outcome:
    lake, seq = context.lake, context.input["seq"]
    source, raw = step["source"]["name"], step["name"]
    before = read_manifests(lake, source, raw, before=int(seq))
    watermark = before[-1]["watermark"] if before else None
    done = read_manifest(lake, source, raw, seq)
    if context.replay:
        return empty_outcome("succeeded") if done is None else _verified(context, step, done)
    if done is None:
        # What this batch would have read has gone into the next one; what is new since belongs to no batch of the past.
        later = read_manifests(lake, source, raw, after=int(seq))
        if later:
            return empty_outcome("skipped", root_cause=later[0]["batch_id"])
    planned = context.input["watermarks"].get(step["key"])
    warnings = []
    if before and planned is not None and planned != watermark:
        warnings.append(
            "The watermark in the metadata differed from the last manifest; the manifest counts."
        )
    manifest = done
    if manifest is None:
        manifest = extractor_of(step)(context, step, watermark)
    return {**_outcome(manifest, watermark), "warnings": warnings}


def _verified(context: Context, step: Step, manifest: Manifest) -> Outcome:
    """A replay reads raw as it is: its files must be what the manifest says. Raises raw_changed."""
    base = context.lake.raw_dir(step["source"]["name"], step["name"])
    for file in manifest["files"]:
        digest = hashlib.sha256()
        with open(os.path.join(base, file["path"]), "rb") as stream:
            while data := stream.read(1024 * 1024):
                context.check()
                digest.update(data)
        if digest.hexdigest() != file["sha256"]:
            fail("raw_changed", path=file["path"])
    return _outcome(manifest, (manifest["cursor"] or {}).get("from"))


def _outcome(manifest: Manifest, watermark: str | None) -> Outcome:
    size = sum(file["size"] for file in manifest["files"])
    rows = manifest["rows"]
    counted = {} if rows is None else {"rows_read": rows, "rows_written": rows}
    return empty_outcome(
        "succeeded",
        counts={"bytes_read": size, "bytes_written": size, **counted},
        watermark_from=watermark,
        watermark_to=manifest["watermark"] if manifest["watermark"] is not None else watermark,
        files=manifest["files"],
    )
