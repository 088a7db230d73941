"""A foreign client of the fake workspace: databricks-sdk, which knows nothing of LakeForge.

`foreign.py drive URL` goes through the fake with it and prints what it saw, as JSON. `foreign.py
bodies` reads request bodies ({kind, body} in a JSON array) from stdin, lets the SDK's own types
read and write them, and prints what got lost on the way.
"""

import base64
import io
import json
import logging
import sys
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import catalog, compute, iam, jobs, pipelines, sql, workspace

logging.disable(logging.CRITICAL)


def drive(url: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    client = WorkspaceClient(config=config(host=url, token="dapi-fake", auth_type="pat"))
    seen["me"] = client.current_user.me().user_name

    notebook = jobs.NotebookTask(notebook_path="/Workspace/Shared/n")
    made = client.jobs.create(
        name="foreign",
        tasks=[
            jobs.Task(task_key="b", notebook_task=notebook, depends_on=[jobs.TaskDependency("a")]),
            jobs.Task(task_key="a", notebook_task=notebook),
        ],
        job_clusters=[
            jobs.JobCluster(
                "single",
                compute.ClusterSpec(
                    spark_version="16.4.x-scala2.12",
                    node_type_id="i3.xlarge",
                    num_workers=0,
                    spark_conf={
                        "spark.databricks.cluster.profile": "singleNode",
                        "spark.master": "local[*]",
                    },
                    custom_tags={"ResourceClass": "SingleNode"},
                ),
            )
        ],
        schedule=jobs.CronSchedule("0 15 2 * * ?", "Europe/Berlin"),
    )
    seen["job_id_exact"] = made.job_id > 2**53 and int(str(made.job_id)) == made.job_id
    job = client.jobs.get(made.job_id)
    seen["job"] = {
        "name": job.settings.name,
        "tasks": sorted(task.task_key for task in job.settings.tasks),
        "source": job.settings.tasks[0].notebook_task.source.value,
        "cron": job.settings.schedule.quartz_cron_expression,
    }
    seen["listed"] = [each.job_id == made.job_id for each in client.jobs.list(name="FOREIGN")]
    client.jobs.reset(
        made.job_id,
        jobs.JobSettings(name="again", tasks=[jobs.Task(task_key="a", notebook_task=notebook)]),
    )
    seen["reset"] = client.jobs.get(made.job_id).settings.name
    run = client.jobs.run_now(made.job_id, idempotency_token="one")
    again = client.jobs.run_now(made.job_id, idempotency_token="one")
    seen["one_run"] = run.response.run_id == again.response.run_id
    for _ in range(20):
        state = client.jobs.get_run(run.response.run_id).state
        if state.result_state:
            break
    seen["result"] = state.result_state.value
    client.jobs.delete(made.job_id)
    seen["deleted"] = failure(lambda: client.jobs.get(made.job_id))

    pipeline = client.pipelines.create(
        name="foreign",
        catalog="main",
        schema="sales",
        serverless=True,
        libraries=[
            pipelines.PipelineLibrary(
                glob=pipelines.PathPattern(include="/Workspace/Shared/p/transformations/**")
            )
        ],
        configuration={"lakeforge.key": "k"},
    )
    got = client.pipelines.get(pipeline.pipeline_id)
    seen["pipeline"] = [got.name, got.spec.catalog, got.spec.schema, got.spec.channel]
    seen["pipelines"] = [
        each.name for each in client.pipelines.list_pipelines(filter="name LIKE 'foreign'")
    ]
    seen["pipeline_conflict"] = failure(
        lambda: client.pipelines.update(
            pipeline.pipeline_id,
            name="foreign",
            catalog="main",
            schema="sales",
            libraries=got.spec.libraries,
            expected_last_modified=1,
        )
    )
    client.pipelines.delete(pipeline.pipeline_id)
    seen["pipeline_deleted"] = failure(lambda: client.pipelines.get(pipeline.pipeline_id))

    client.workspace.mkdirs("/Workspace/Shared/foreign")
    client.workspace.import_(
        "/Workspace/Shared/foreign/n",
        content=base64.b64encode(b"# Databricks notebook source\nprint(1)\n").decode(),
        format=workspace.ImportFormat.SOURCE,
        language=workspace.Language.PYTHON,
    )
    seen["files"] = [
        [each.path, each.object_type.value]
        for each in client.workspace.list("/Workspace/Shared/foreign")
    ]
    with client.workspace.download("/Workspace/Shared/foreign/n") as text:
        seen["export"] = text.read().decode()
    client.workspace.upload(
        "/Workspace/Shared/foreign/plain.txt", io.BytesIO(b"hi"), format=workspace.ImportFormat.RAW
    )
    seen["missing"] = failure(lambda: client.workspace.get_status("/Workspace/Shared/none"))

    client.schemas.create(name="Foreign", catalog_name="main")
    client.volumes.create(
        catalog_name="main",
        schema_name="foreign",
        name="v",
        volume_type=catalog.VolumeType.MANAGED,
    )
    client.files.upload("/Volumes/main/foreign/v/a b.txt", io.BytesIO(b"x"), overwrite=True)
    seen["volume_file"] = (
        client.files.download("/Volumes/main/foreign/v/a b.txt").contents.read().decode()
    )
    seen["schemas"] = [each.full_name for each in client.schemas.list(catalog_name="main")]
    client.grants.update(
        "schema",
        "main.foreign",
        changes=[catalog.PermissionsChange(principal="a", add=[catalog.Privilege.USE_SCHEMA])],
    )
    granted = client.grants.get("schema", "main.foreign").privilege_assignments
    seen["grants"] = [[each.principal, [p.value for p in each.privileges]] for each in granted]
    answer = client.statement_execution.execute_statement("select 1", "wh0123456789abcd")
    seen["statement"] = answer.result.data_array
    bad = client.statement_execution.execute_statement("nonsense", "wh0123456789abcd")
    seen["bad_statement"] = bad.status.state.value

    app = WorkspaceClient(
        config=config(
            host=url, client_id="fake-app", client_secret="fake-secret", auth_type="oauth-m2m"
        )
    )
    seen["app"] = app.current_user.me().user_name
    return seen


def config(**given: str) -> Config:
    """A client that gives up soon: the fake answers at once or never."""
    return Config(retry_timeout_seconds=10, http_timeout_seconds=10, **given)


def failure(call: Any) -> str:
    try:
        call()
    except DatabricksError as error:
        return type(error).__name__
    return "no error"


TYPES = {
    "job": jobs.JobSettings,
    "pipeline": pipelines.PipelineSpec,
    "acl": iam.AccessControlRequest,
    "grant": catalog.PermissionsChange,
    "schema": catalog.SchemaInfo,
    "volume": catalog.CreateVolumeRequestContent
    if hasattr(catalog, "CreateVolumeRequestContent")
    else catalog.VolumeInfo,
}


def bodies(items: list[dict[str, Any]]) -> dict[str, Any]:
    lost: list[str] = []
    for item in items:
        back = TYPES[item["kind"]].from_dict(item["body"]).as_dict()
        compare(item["body"], back, item["kind"], lost)
    return {"checked": len(items), "lost": lost, "sql": sql.Disposition.INLINE.value}


def compare(sent: Any, back: Any, path: str, lost: list[str]) -> None:
    if isinstance(sent, dict):
        for key, value in sent.items():
            if not isinstance(back, dict) or key not in back:
                if value not in ({}, []):
                    lost.append(f"{path}.{key}")
            else:
                compare(value, back[key], f"{path}.{key}", lost)
    elif isinstance(sent, list):
        if not isinstance(back, list) or len(back) != len(sent):
            lost.append(path)
        else:
            for index, (one, other) in enumerate(zip(sent, back, strict=True)):
                compare(one, other, f"{path}[{index}]", lost)
    elif sent != back:
        lost.append(f"{path}: {sent!r} became {back!r}")


if __name__ == "__main__":
    if sys.argv[1] == "drive":
        print(json.dumps(drive(sys.argv[2])))
    else:
        print(json.dumps(bodies(json.load(sys.stdin))))
