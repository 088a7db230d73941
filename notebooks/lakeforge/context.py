"""What a step has at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from .errors import fail
from .lake import Lake
from .plan import Plan, RunInput

Say = Callable[[str, str, "dict[str, Any] | None"], None]


@dataclass(frozen=True)
class Context:
    """`spark` is the step's own session: its views and settings are nobody else's."""

    spark: SparkSession
    lake: Lake
    plan: Plan
    input: RunInput
    """level, text, progress"""
    say: Say
    """Set when the step is cancelled or out of time."""
    stopping: Event
    """Looks up `secret://scope/key`."""
    secret: Callable[[str], str]
    """The batch is run again to be compared: nothing is committed."""
    replay: bool = False
    """Frames that are kept while the step runs."""
    kept: tuple[list[DataFrame], ...] = ()

    def check(self) -> None:
        """Raises step_interrupted once the step was asked to stop."""
        if self.stopping.is_set():
            fail("step_interrupted")

    def keep(self, frame: DataFrame) -> DataFrame:
        """Rows that are read several times, computed once. Where nothing can be kept (serverless), they are computed anew:
        they come from files and versions that don't change."""
        try:
            kept = frame.persist()
        except Exception:
            return frame
        for frames in self.kept:
            frames.append(kept)
        return kept

    def release(self) -> None:
        """Lets go of all kept rows."""
        for frames in self.kept:
            while frames:
                frames.pop().unpersist()


def quiet(_level: str, _text: str, _progress: dict[str, Any] | None = None) -> None:
    """Says nothing."""
