"""Where everything of one lake lies, and what its Delta logs say of what was committed.

Below a root, as on a laptop: tables at `<root>/tables/<schema>/<table>`, raw files at `<root>/raw`. With a catalog, tables are
those of the catalog, named, and the root (a volume) holds raw files and records.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import unquote

from pyspark.sql import SparkSession

from .errors import fail
from .names import quote, split_table


@dataclass(frozen=True)
class Lake:
    """`root` is a path that this program and every Spark worker see alike."""

    root: str
    catalog: str | None = None
    """Before schema names, so that several environments share a catalog."""
    prefix: str = ""

    def table_dir(self, table: str) -> str:
        schema, name = split_table(table)
        return os.path.join(self.root, "tables", schema, name)

    def ident(self, table: str) -> str:
        """The table as SQL names it."""
        schema, name = split_table(table)
        if self.catalog is None:
            return f"delta.{quote(self.table_dir(table))}"
        return f"{quote(self.catalog)}.{quote(self.prefix + schema)}.{quote(name)}"

    def raw_dir(self, source: str, raw: str) -> str:
        return os.path.join(self.root, "raw", source, raw)

    def record_path(self, batch_id: str, step: str) -> str:
        return os.path.join(
            self.root, "_lakeforge", "batches", _encoded(batch_id), f"{_encoded(step)}.json"
        )


def quarantine_table(table: str) -> str:
    """The table that takes what rules send away."""
    return f"{table}_quarantine"


def open_root(root: str) -> str:
    """The lake's folder as a plain path. Raises root_refused for an address that isn't one."""
    if root.startswith("file:"):
        root = re.sub(r"^file:(//)?(?=/)", "", root)
    if root.startswith("dbfs:/"):
        root = "/dbfs/" + root.removeprefix("dbfs:/")
    if "://" in root or not os.path.isabs(root) or any(c in root for c in "*?["):
        fail("root_refused", root=root)
    return root.rstrip("/") or "/"


def write_durable(path: str, text: str) -> None:
    """The file appears whole and lasting, or not at all."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, temp = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temp, 0o644)
        os.replace(temp, path)
    except BaseException:
        Path(temp).unlink(missing_ok=True)
        raise
    sync_dir(folder)


def sync_dir(folder: str) -> None:
    """Makes new names in a folder last, where the file system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # a mounted object store keeps what it was given
    finally:
        os.close(handle)


def read_json(path: str) -> Any | None:
    """None when there is no such file."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class Found:
    """A commit of ours in a table's log."""

    version: int
    note: dict[str, Any]
    """`<config id>/<epoch>`: the name under which the log counts the batches of a step."""
    app_id: str
    """What Delta counted of the commit: texts, by the operation's own names."""
    metrics: dict[str, str]


@dataclass(frozen=True)
class TableState:
    """A table as it is now. `notes`: commits of ours that the log still tells, newest first."""

    version: int
    columns: list[tuple[str, str]]
    properties: dict[str, str]
    notes: list[Found]
    """The log goes back to the first commit."""
    complete: bool

    def find(self, app_id: str, seq: int | None = None) -> Found | None:
        """The newest note of a writer, or that of one batch."""
        for found in self.notes:
            if found.app_id == app_id and (seq is None or int(found.note["seq"]) == seq):
                return found
        return None


_COMMIT = re.compile(r"(\d{20})\.json")


def table_state(spark: SparkSession, lake: Lake, table: str) -> TableState | None:
    """None when there is no such table."""
    if lake.catalog is None:
        return _state_of_path(spark, lake, table)
    if not spark.catalog.tableExists(lake.ident(table)):
        return None
    history = spark.sql(f"describe history {lake.ident(table)}").selectExpr(
        "version", "userMetadata", "operationMetrics as m"
    )
    rows = sorted(history.collect(), key=lambda row: -row["version"])
    detail = spark.sql(f"describe detail {lake.ident(table)}").first()
    notes = [
        Found(
            row["version"],
            note,
            f"{note['config_id']}/{note.get('epoch', '0')}",
            dict(row["m"] or {}),
        )
        for row in rows
        if (note := _note(row["userMetadata"])) is not None
    ]
    return TableState(
        rows[0]["version"],
        [(f.name, f.dataType.simpleString()) for f in spark.table(lake.ident(table)).schema.fields],
        dict(detail["properties"] or {}) if detail is not None else {},
        notes,
        rows[-1]["version"] == 0,
    )


def _state_of_path(spark: SparkSession, lake: Lake, table: str) -> TableState | None:
    versions = log_versions(lake.table_dir(table))
    if not versions:
        return None
    notes: list[Found] = []
    metadata: dict[str, Any] | None = None
    for version in reversed(versions):
        actions = read_commit(lake.table_dir(table), version)
        for action in actions:
            if "metaData" in action and metadata is None:
                metadata = action["metaData"]
        notes += _found(version, actions)
    if metadata is None:
        # Its commit was cleaned away behind a checkpoint: Spark knows it.
        detail = spark.sql(f"describe detail {lake.ident(table)}").first()
        frame = spark.table(lake.ident(table))
        columns = [(f.name, f.dataType.simpleString()) for f in frame.schema.fields]
        properties = dict(detail["properties"] or {}) if detail is not None else {}
    else:
        columns = [
            (field["name"], delta_type(field["type"]))
            for field in json.loads(metadata["schemaString"])["fields"]
        ]
        properties = dict(metadata["configuration"])
    return TableState(versions[-1], columns, properties, notes, versions[0] == 0)


def _found(version: int, actions: list[dict[str, Any]]) -> list[Found]:
    """What a commit says of itself, under the name by which its `txn` counts it."""
    info = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    note = _note(info.get("userMetadata"))
    if note is None:
        return []
    return [
        Found(version, note, action["txn"]["appId"], info.get("operationMetrics") or {})
        for action in actions
        if "txn" in action and int(action["txn"]["version"]) == int(note["seq"])
    ]


def log_versions(folder: str) -> list[int]:
    """Versions whose commit files are there, ascending; empty when it is no Delta table."""
    try:
        names = os.listdir(os.path.join(folder, "_delta_log"))
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for name in names if (found := _COMMIT.fullmatch(name)))


def read_commit(folder: str, version: int) -> list[dict[str, Any]]:
    """The actions of one commit."""
    path = os.path.join(folder, "_delta_log", f"{version:020d}.json")
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line]


def files_added(folder: str, after: int, upto: int) -> tuple[set[str], bool]:
    """Absolute paths of data files that commits in `(after, upto]` brought new rows with and that no commit took away or rewrote
    since, and whether rows were taken away. A file that was put together with others since counts as itself: its rows are still
    the table's. Raises history_gone when a commit's file is."""
    there = set(log_versions(folder))
    added: set[str] = set()
    made_of: dict[str, list[str]] = {}
    removed = False

    def take_away(path: str) -> None:
        added.discard(path)
        for part in made_of.pop(path, []):
            take_away(part)

    for version in range(after + 1, upto + 1):
        if version not in there:
            fail("history_gone", table=folder, input=folder)
        actions = read_commit(folder, version)
        removes = [action["remove"] for action in actions if action.get("remove") is not None]
        for remove in removes:
            if remove.get("dataChange", True):
                take_away(data_path(folder, remove["path"]))
                removed = True
        parts = [
            data_path(folder, remove["path"])
            for remove in removes
            if not remove.get("dataChange", True)
        ]
        for action in actions:
            if (add := action.get("add")) is None:
                continue
            path = data_path(folder, add["path"])
            if add.get("dataChange", True):
                added.add(path)
            else:
                made_of[path] = parts
    return added, removed


def data_path(folder: str, path: str) -> str:
    """An `add` names its file relative to the table, percent-encoded; or by an address."""
    plain = unquote(path)
    return plain.removeprefix("file://") if "://" in plain else os.path.join(folder, plain)


_NAMES = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint"}


def delta_type(kind: Any) -> str:
    """Spark's text of a type of the log's schema."""
    if isinstance(kind, str):
        return _NAMES.get(kind, kind)
    match kind["type"]:
        case "array":
            return f"array<{delta_type(kind['elementType'])}>"
        case "map":
            return f"map<{delta_type(kind['keyType'])},{delta_type(kind['valueType'])}>"
        case _:
            fields = (f"{_field(f['name'])}:{delta_type(f['type'])}" for f in kind["fields"])
            return f"struct<{','.join(fields)}>"


def _field(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else quote(name)


def _note(metadata: Any) -> dict[str, Any] | None:
    """A commit's userMetadata, if it is ours. Other writers' may be any text."""
    note = metadata
    if isinstance(metadata, str):
        try:
            note = json.loads(metadata)
        except ValueError:
            return None
    return note if isinstance(note, dict) and note.get("lakeforge") == 1 else None


def _encoded(text: str) -> str:
    return percent(text, safe="-_.!~*'()")
