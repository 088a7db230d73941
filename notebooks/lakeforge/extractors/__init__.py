"""Kind of source -> extractor. A map written by hand: one can read it.

`extract(context, step, watermark) -> manifest` takes what is new to `raw/<source>/<name>/seq=<seq>/` and commits it by its
manifest. Safe to repeat: a manifest that is there is the answer, and leftovers without one are removed. When nothing is new,
nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..context import Context
from ..errors import fail
from ..plugins import plugin
from . import database, delta, files
from .manifests import Manifest

Extractor = Callable[[Context, dict[str, Any], "str | None"], Manifest]

EXTRACTORS: dict[str, Extractor] = {
    "delta": delta.extract,
    "files": files.extract,
    "mysql": database.extract,
    "oracle": database.extract,
    "postgres": database.extract,
    "sqlserver": database.extract,
}


def extractor_of(step: dict[str, Any]) -> Extractor:
    """What reads the step's source: a module of the user's own, which has `extract`, or the kind's. Raises
    engine_unsupported."""
    own = step.get("extractor")
    if own is not None:
        return plugin(own, "extract")
    kind = step["source"]["kind"]
    found = EXTRACTORS.get(kind)
    if found is None:
        return fail("engine_unsupported", engine="spark", what=f"sources of kind {kind}")
    return found
