"""The one error type. Codes, messages and hints come from the catalogue that TypeScript has too (errors.json)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

CATALOGUE: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "errors.json").read_text(encoding="utf-8")
)


class LakeForgeError(Exception):
    """`code` of the catalogue; `detail` are the parameters of its message. No secret may stand in it."""

    def __init__(self, code: str, **detail: Any) -> None:
        entry = CATALOGUE[code]
        super().__init__(_fill(entry["message"], detail))
        self.code = code
        self.detail = detail
        self.hint = _fill(entry["hint"], detail)
        self.retry = bool(entry["retry"])


def fail(code: str, **detail: Any) -> NoReturn:
    """Raises the error `code` of the catalogue."""
    raise LakeForgeError(code, **detail)


def step_error(error: BaseException) -> dict[str, Any]:
    """Any error as a report holds it: code, message, hint, and whether trying again can help."""
    known = error if isinstance(error, LakeForgeError) else spark_error(error)
    return {
        "code": known.code,
        "message": str(known),
        "hint": known.hint,
        "retry": known.retry,
    }


_INVALID = re.compile(
    r"\[(CAST_INVALID_INPUT|CAST_OVERFLOW\w*|DIVIDE_BY_ZERO|ARITHMETIC_OVERFLOW|NUMERIC_VALUE_OUT_OF_RANGE"
    r"[\w.]*|CANNOT_PARSE_\w+|INVALID_ARRAY_INDEX\w*|INVALID_FRACTION_OF_SECOND|USER_RAISED_EXCEPTION"
    r"|DATETIME_OVERFLOW|INTERVAL_ARITHMETIC_OVERFLOW[\w.]*)\]"
)
_CONFLICT = re.compile(r"(Concurrent\w+Exception|DELTA_CONCURRENT_\w+|ProtocolChangedException)")


def spark_error(error: BaseException) -> LakeForgeError:
    """What Spark complains about, as one of ours. Its text may quote values, so only its error class goes on."""
    if isinstance(error, LakeForgeError):
        return error
    text = str(error)
    condition = condition_of(error)
    if _CONFLICT.search(text):
        return LakeForgeError("delta_conflict", table="its table", version="of the same number")
    if "No space left on device" in text:
        return LakeForgeError("disk_full", path="the lake")
    if "OutOfMemoryError" in text or "UNABLE_TO_ACQUIRE_MEMORY" in text:
        return LakeForgeError("out_of_memory")
    if "cancelled" in text and ("Job " in text or "OPERATION_CANCELED" in text):
        return LakeForgeError("step_interrupted")
    if isinstance(error, OSError):
        return LakeForgeError("engine_failed", reason=error.strerror or type(error).__name__)
    if found := _INVALID.search(text):
        return LakeForgeError("value_invalid", reason=found[1])
    if condition is not None:
        return LakeForgeError("sql_failed", reason=condition)
    return LakeForgeError("engine_failed", reason=type(error).__name__)


def condition_of(error: BaseException) -> str | None:
    """Spark's name of an error; some reach Python as Java's, with the class in their text alone."""
    get = getattr(error, "getCondition", None)
    condition = get() if callable(get) else None
    if condition:
        return str(condition)
    found = re.search(r"\[([A-Z][A-Z_0-9.]+)\]", str(error))
    return found[1] if found else None


def _fill(template: str, detail: dict[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: str(detail.get(m[1], m[0])), template)
