"""Reports: how a step ended, in the one shape that every engine sends."""

from __future__ import annotations

from typing import Any

Outcome = dict[str, Any]

COUNTS = (
    "rows_read", "rows_written", "rows_quarantined", "rows_dropped", "rows_filtered", "rows_deduplicated",
    "rows_late", "rows_inserted", "rows_updated", "rows_deleted", "rows_closed", "files_rewritten",
    "bytes_read", "bytes_written",
)  # fmt: skip


def empty_outcome(state: str, **more: Any) -> Outcome:
    """An outcome with nothing in it but `more`."""
    return {
        "state": state,
        "counts": {},
        "input_versions": {},
        "delta_version_before": None,
        "delta_version_after": None,
        "content_hash": None,
        "hash_approximate": False,
        "watermark_from": None,
        "watermark_to": None,
        "rules": [],
        "files": [],
        "schema_changes": [],
        "profiles": [],
        "warnings": [],
        "error": None,
        "root_cause": None,
        **more,
    }


def balance(counts: dict[str, int]) -> str | None:
    """What is wrong with a balance sheet, in words; None when it closes."""
    terms = ("written", "quarantined", "dropped", "filtered", "deduplicated", "late")
    out = sum(counts.get(f"rows_{term}", 0) for term in terms)
    read = counts.get("rows_read", 0)
    if read == out:
        return None
    said = " + ".join(f"{counts.get(f'rows_{term}', 0)} {term}" for term in terms)
    return f"{read} read, but {said} = {out}"
