"""Which files brought rows, told from the log alone: compactions move rows, they bring and take none."""

import json
from pathlib import Path

from lakeforge.lake import files_added


def commit(folder: Path, version: int, *actions: dict) -> None:
    log = folder / "_delta_log"
    log.mkdir(exist_ok=True)
    (log / f"{version:020d}.json").write_text("\n".join(map(json.dumps, actions)))


def add(path: str, change: bool = True) -> dict:
    return {"add": {"path": path, "dataChange": change}}


def remove(path: str, change: bool = True) -> dict:
    return {"remove": {"path": path, "dataChange": change}}


def names(found: set[str]) -> set[str]:
    return {Path(path).name for path in found}


def test_a_file_that_was_put_together_with_others_still_brought_its_rows(tmp_path: Path) -> None:
    commit(tmp_path, 0, add("old"))
    commit(tmp_path, 1, add("new"))
    commit(tmp_path, 2, add("both", change=False), remove("old", False), remove("new", False))
    added, removed = files_added(str(tmp_path), 0, 2)
    assert (names(added), removed) == ({"new"}, False)


def test_rows_rewritten_after_a_compaction_are_read_where_they_went(tmp_path: Path) -> None:
    commit(tmp_path, 0, add("old"))
    commit(tmp_path, 1, add("new"))
    commit(tmp_path, 2, remove("old", False), remove("new", False), add("both", change=False))
    commit(tmp_path, 3, remove("both"), add("changed"))
    added, removed = files_added(str(tmp_path), 0, 3)
    assert (names(added), removed) == ({"changed"}, True)
