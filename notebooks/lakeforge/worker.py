"""The process that an engine talks to: runs the steps that it is told to on one Spark, and says how they ended. Order, retries
and run state are the engine's. Messages are lines of JSON over a socket; when the engine goes, this goes at once."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from typing import Any

from .errors import step_error
from .lake import Lake, open_root
from .plan import check_plan, check_run_input
from .run import run_step
from .session import open_session


class _Run:
    """A batch that the engine has opened."""

    def __init__(self, message: dict[str, Any]) -> None:
        settings = message["settings"]
        self.plan = check_plan(message["plan"])
        self.input = check_run_input(message["input"])
        self.lake = Lake(open_root(settings["root"]))
        self.home: str | None = settings["home"]
        self.replay = bool(message["replay"])
        self.stopping: dict[str, threading.Event] = {}


def main(address: str) -> None:
    """Serves until the engine closes the socket."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.connect(address)
    lock = threading.Lock()

    def tell(message: dict[str, Any]) -> None:
        data = json.dumps(message, ensure_ascii=False).encode() + b"\n"
        with lock:
            channel.sendall(data)

    runs: dict[str, _Run] = {}
    spark = None
    try:
        spark = open_session()
        tell({"kind": "ready", "spark": spark.version})
        for line in channel.makefile("r", encoding="utf-8"):
            _heard(spark, json.loads(line), runs, tell)
    except (BrokenPipeError, ConnectionResetError):
        pass
    except Exception as error:
        tell({"kind": "broken", "error": step_error(error)})
        raise
    finally:
        # Another owner may already be at work: nothing of this process goes on.
        os._exit(0)


def _heard(spark: Any, message: dict[str, Any], runs: dict[str, _Run], tell: Any) -> None:
    run_id = message["run"]
    match message["kind"]:
        case "open_batch":
            try:
                runs[run_id] = _Run(message)
                tell({"kind": "opened", "run": run_id})
            except Exception as error:
                tell({"kind": "broken", "run": run_id, "error": step_error(error)})
        case "run" if run_id in runs:
            step = message["step"]
            run = runs[run_id]
            run.stopping[step] = threading.Event()
            tag = f"{run_id}-{len(run.stopping)}"
            thread = _thread(spark, lambda: _step(spark, run_id, run, step, tag, tell))
            thread.start()
        case "stop" if run_id in runs:
            run = runs[run_id]
            event = run.stopping.get(message["step"])
            if event is not None:
                event.set()
                for tag in [f"{run_id}-{n + 1}" for n in range(len(run.stopping))]:
                    if run.stopping[list(run.stopping)[int(tag.rsplit("-", 1)[1]) - 1]] is event:
                        spark.interruptTag(tag)
        case "close":
            run = runs.pop(run_id, None)
            for event in run.stopping.values() if run else []:
                event.set()


def _thread(spark: Any, action: Any) -> threading.Thread:
    """Jobs of a thread carry its own tags."""
    try:
        from pyspark.util import InheritableThread

        return InheritableThread(target=action, session=spark, daemon=True)
    except Exception:
        return threading.Thread(target=action, daemon=True)


def _step(spark: Any, run_id: str, run: _Run, step: str, tag: str, tell: Any) -> None:
    spark.addTag(tag)

    def say(level: str, text: str, progress: dict[str, Any] | None = None) -> None:
        event = {"step": step, "level": level, "text": text}
        if progress is not None:
            event["progress"] = progress
        tell({"kind": "event", "run": run_id, "event": event})

    outcome = run_step(
        spark,
        run.lake,
        run.plan,
        run.input,
        step,
        say=say,
        stopping=run.stopping[step],
        home=run.home,
        replay=run.replay,
    )
    tell({"kind": "outcome", "run": run_id, "step": step, "outcome": outcome})


if __name__ == "__main__":
    main(sys.argv[1])
