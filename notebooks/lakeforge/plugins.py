"""Plug-ins of the user's own: Python modules, named in metadata, that read, transform or write on Spark.

A module lies beside the notebooks, in a folder of LAKEFORGE_PLUGINS, or is installed. Metadata can name no other code than that."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import Any

from .errors import fail

# Table properties that name a module: what makes other rows of the query's, and what takes the writer's place.
TRANSFORM = "lakeforge.transform"
WRITER = "lakeforge.writer"


def plugin(name: str, door: str) -> Any:
    """The function `door` of a plug-in. Raises plugin_missing."""
    if not re.fullmatch(r"[a-z0-9_]{1,100}", name):
        fail("plugin_missing", name=name[:100], door=door)
    folder = os.environ.get("LAKEFORGE_PLUGINS")
    if folder and folder not in sys.path:
        sys.path.append(folder)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:
        return fail("plugin_missing", name=name, door=door)
    found = getattr(module, door, None)
    return found if callable(found) else fail("plugin_missing", name=name, door=door)
