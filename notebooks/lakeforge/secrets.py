"""What stands behind `secret://scope/key`: the environment, a file that only its owner can read, or the workspace's scopes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable

from .errors import fail

_REFERENCE = re.compile(r"secret://([A-Za-z0-9_.-]{1,128})/([A-Za-z0-9_.-]{1,128})")


def secret_reader(home: str | None) -> Callable[[str], str]:
    """A reader of references. Each value is read anew, so that a rotated secret is taken without a restart; it must not
    reach a message, an event or a file. The reader raises secret_missing, secret_exposed, secret_file_invalid."""

    def read(reference: str) -> str:
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            return fail("secret_missing", variable="", reference="of another form")
        scope, key = found.groups()
        variable = re.sub(r"[^A-Z0-9]", "_", f"LAKEFORGE_SECRET_{scope}_{key}".upper())
        value = os.environ.get(variable) or _entries(home).get(f"{scope}/{key}")
        if value is None:
            value = _from_workspace(scope, key)
        return (
            value
            if isinstance(value, str)
            else fail("secret_missing", reference=reference, variable=variable)
        )

    return read


def _entries(home: str | None) -> dict[str, object]:
    if home is None:
        return {}
    path = os.path.join(home, "secrets.json")
    try:
        if os.stat(path).st_mode & 0o077:
            fail("secret_exposed", path=path)
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return {}
    except ValueError:
        return fail("secret_file_invalid", path=path)


def _from_workspace(scope: str, key: str) -> str | None:
    try:
        from databricks.sdk.runtime import dbutils
    except Exception:
        return None
    return dbutils.secrets.get(scope, key)
