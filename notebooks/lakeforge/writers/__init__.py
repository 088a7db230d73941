"""Load type -> writer. A map written by hand: one can read it."""

from __future__ import annotations

from .append import append
from .merge import merge
from .replace import replace
from .scd2 import scd2
from .writer import Writer

WRITERS: dict[str, Writer] = {"append": append, "merge": merge, "replace": replace, "scd2": scd2}
