"""Writes shapes.json: the fields and types of requests and of what lies in them.

They are asked of databricks-sdk, whose version is in the file. Run it with a Python that has it
(see foreign-env.sh) when the fake has to know newer fields.
"""

import dataclasses
import enum
import inspect
import json
import pathlib
import sys
import typing
from importlib.metadata import version

from databricks.sdk.service import catalog, iam, jobs, pipelines, sql, workspace

METHODS = {
    jobs.JobsAPI: "create reset update delete"
    " run_now submit cancel_run cancel_all_runs repair_run delete_run",
    pipelines.PipelinesAPI: "create update start_update",
    workspace.WorkspaceAPI: "delete mkdirs import_",
    workspace.SecretsAPI: "create_scope delete_scope put_secret delete_secret",
    catalog.SchemasAPI: "create update",
    catalog.VolumesAPI: "create update",
    catalog.GrantsAPI: "update",
    sql.StatementExecutionAPI: "execute_statement",
    iam.PermissionsAPI: "set update",
}
PLAIN = {str: "string", int: "int", bool: "bool", float: "float"}
shapes: dict[str, dict[str, str]] = {}


def type_name(hint: object) -> str:
    origin = typing.get_origin(hint)
    if origin is typing.Union:
        return type_name(next(each for each in typing.get_args(hint) if each is not type(None)))
    if origin is list:
        return f"[{type_name(typing.get_args(hint)[0])}]"
    if origin is dict:
        return f"map {type_name(typing.get_args(hint)[1])}"
    if hint in PLAIN:
        return PLAIN[hint]
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return "enum " + "|".join(sorted(each.value for each in hint))
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):
        add(hint)
        return hint.__name__
    return "any"


def add(cls: type) -> None:
    if cls.__name__ in shapes:
        return
    shapes[cls.__name__] = {}
    hints = typing.get_type_hints(cls)
    shapes[cls.__name__] = {
        each.name: type_name(hints[each.name]) for each in dataclasses.fields(cls)
    }


for api, names in METHODS.items():
    for name in names.split():
        method = getattr(api, name)
        hints = typing.get_type_hints(method)
        hints.pop("return", None)
        shapes[f"{api.__name__.removesuffix('API')}.{name.strip('_')}"] = {
            key: type_name(hint) for key, hint in hints.items()
        }

text = {"sdk": version("databricks-sdk")} | {
    name: " ; ".join(f"{key}: {kind}" for key, kind in sorted(fields.items()))
    for name, fields in sorted(shapes.items())
}
target = pathlib.Path(__file__).parent / "shapes.json"
target.write_text(json.dumps(text, indent=2) + "\n")
print(f"{len(shapes)} shapes, {target.stat().st_size} bytes", file=sys.stderr)
