"""Source → Raw for files: each file once per path and sha256, copied as it came.

On Databricks `_discover` is where Auto Loader would find new files; what it finds is judged and copied here all the same, so that
raw looks alike everywhere."""

from __future__ import annotations

import datetime as dt
import glob
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..context import Context
from ..errors import fail
from ..lake import sync_dir
from .manifests import (
    Manifest,
    clear_attempt,
    empty_manifest,
    read_manifest,
    read_manifests,
    seq_dir,
    stored_name,
    write_manifest,
)

# A file whose time is this close to when it was taken may have changed again without a trace in its time.
_RACY_S = 2.0
_BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class _File:
    path: str
    absolute: str
    size: int
    modified_ns: int


def extract(context: Context, step: dict[str, Any], watermark: str | None) -> Manifest:
    """Takes what is new. Raises path_outside, source_folder_missing, file_truncated, disk_full."""
    lake, source, raw = context.lake, step["source"]["name"], step["name"]
    seq, batch_id = context.input["seq"], context.input["batch_id"]
    done = read_manifest(lake, source, raw, seq)
    if done is not None:
        return done
    folder = seq_dir(lake, source, raw, seq)
    clear_attempt(folder)
    known = _known(read_manifests(lake, source, raw, before=int(seq)))
    found = _discover(str(step["source"]["options"]["root"]), step["object"])
    if not found:
        context.say("warn", f'No file matches "{step["object"]}".', None)
    files: list[dict[str, Any]] = []
    changed = [file for file in found if _is_new(file, known.get(file.path))]
    total = sum(file.size for file in changed)
    done_bytes = 0
    for file in changed:
        context.check()
        path = os.path.join(f"seq={seq}", stored_name(len(files) + 1, file.path))
        target = os.path.join(lake.raw_dir(source, raw), path)
        os.makedirs(folder, exist_ok=True)
        copied = _copy(context, file, target)
        done_bytes += file.size
        progress = {"done": done_bytes, "total": total, "unit": "bytes"}
        context.say("debug", f"Read {file.path}.", progress)
        if copied is None:
            said = "changes while it is read: it is left for the next batch."
            context.say("warn", f"{file.path} {said}", None)
            continue
        if file.path in known and copied in known[file.path]["hashes"]:
            os.unlink(target)
            continue
        _check_whole(target, file.path, step)
        files.append(
            {
                "path": path,
                "source_path": file.path,
                "size": os.path.getsize(target),
                "sha256": copied,
                "rows": None,
                "source_modified_at": _iso_ns(file.modified_ns),
            }
        )
    manifest = empty_manifest(step, seq, batch_id, read_mode="files", files=files)
    if files:
        sync_dir(folder)
        write_manifest(lake, manifest)
    else:
        clear_attempt(folder)
    return manifest


def _discover(root: str, object: str) -> list[_File]:
    """Files that `object` names, by the UTF-8 order of their paths. Hidden files and folders are left out; nothing outside of
    the root is ever named: not by `..`, not by an absolute path, not through a symbolic link."""
    base = os.path.realpath(root)
    if not os.path.isabs(root) or "\0" in root:
        fail("path_outside", path=root[:300])
    if not os.path.isdir(base):
        fail("source_folder_missing", path=root[:300])
    pattern = object.removeprefix("./")
    if not pattern or "\0" in pattern or os.path.isabs(pattern) or ".." in pattern.split("/"):
        fail("path_outside", path=object[:300])
    exact = _file_at(base, pattern)
    if exact is not None:
        return [exact]
    paths = {
        path
        for each in _braces(pattern)
        for path in glob.glob(each, root_dir=base, recursive=True)
        if not any(part.startswith(".") for part in path.split("/"))
    }
    found = [file for path in paths if (file := _file_at(base, path)) is not None]
    return sorted(found, key=lambda file: file.path.encode())


def _braces(pattern: str) -> list[str]:
    """`a{b,c}` as `ab` and `ac`."""
    start = pattern.find("{")
    end = pattern.find("}", start)
    if start < 0 or end < 0:
        return [pattern]
    head, tail = pattern[:start], pattern[end + 1 :]
    return [
        whole
        for part in pattern[start + 1 : end].split(",")
        for whole in _braces(head + part + tail)
    ]


def _file_at(base: str, path: str) -> _File | None:
    """The regular file at a path below the root; None when there is none. Raises path_outside for links that leave it."""
    real = os.path.realpath(os.path.join(base, path))
    if os.path.commonpath([base, real]) != base:
        fail("path_outside", path=path[:300])
    try:
        info = os.stat(real)
    except FileNotFoundError:
        return None
    except PermissionError:
        return fail("file_denied", reason=path[:300])
    return _File(path, real, info.st_size, info.st_mtime_ns) if os.path.isfile(real) else None


def _known(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for manifest in manifests:
        taken = dt.datetime.fromisoformat(manifest["created_at"].replace("Z", "+00:00"))
        for file in manifest["files"]:
            entry = known.setdefault(file["source_path"], {"hashes": set()})
            modified = file["source_modified_at"]
            entry["size"], entry["modified"] = file["size"], modified
            entry["racy"] = (
                modified is None or (taken - _instant(modified)).total_seconds() < _RACY_S
            )
            entry["hashes"].add(file["sha256"])
    return known


def _is_new(file: _File, known: dict[str, Any] | None) -> bool:
    """Size and time only decide whether to look at the bytes."""
    if known is None or known["size"] != file.size:
        return True
    if known["modified"] == _iso_ns(file.modified_ns) and not known["racy"]:
        return False
    digest = hashlib.sha256()
    with open(file.absolute, "rb") as stream:
        while data := stream.read(_BUFFER_BYTES):
            digest.update(data)
    return digest.hexdigest() not in known["hashes"]


def _copy(context: Context, file: _File, target: str) -> str | None:
    """Copies to `target`, which appears whole and lasting; answers the sha256. None when the file changed or went away while it
    was read: nothing is left behind then."""
    temp = f"{target}.tmp"
    digest = hashlib.sha256()
    try:
        with open(file.absolute, "rb") as stream, open(temp, "wb") as out:
            before = os.fstat(stream.fileno())
            while data := stream.read(_BUFFER_BYTES):
                context.check()
                digest.update(data)
                out.write(data)
            out.flush()
            os.fsync(out.fileno())
            named = os.stat(file.absolute)
            after = os.fstat(stream.fileno())
        same = all(
            (now.st_size, now.st_mtime_ns, now.st_ino)
            == (before.st_size, before.st_mtime_ns, before.st_ino)
            for now in (after, named)
        )
        if not same or os.path.getsize(temp) != before.st_size:
            return None
        os.replace(temp, target)
        return digest.hexdigest()
    except FileNotFoundError:
        return None
    finally:
        Path(temp).unlink(missing_ok=True)


def _check_whole(path: str, name: str, step: dict[str, Any]) -> None:
    """Whether a copied file ends where its format says it must: a reader might take the first half for the whole."""
    size = os.path.getsize(path)
    if size == 0:
        return
    if step["format"] == "parquet":
        with open(path, "rb") as file:
            file.seek(max(0, size - 4))
            if file.read(4) not in (b"PAR1", b"PARE"):
                fail("file_truncated", file=name, kind="parquet")
    elif compression_of(name, step["options"].get("compression", "auto")) == "gzip":
        unpack = zlib.decompressobj(wbits=31)
        with open(path, "rb") as file:
            try:
                while data := file.read(_BUFFER_BYTES):
                    while data:
                        unpack.decompress(data)
                        data = unpack.unused_data
                        if unpack.eof and data:
                            unpack = zlib.decompressobj(wbits=31)
            except zlib.error:
                fail("file_truncated", file=name, kind="gzip")
        if not unpack.eof:
            fail("file_truncated", file=name, kind="gzip")


def compression_of(path: str, option: str = "auto") -> str:
    """How a file is packed, by its options or the end of its name: plain, gzip or zstd."""
    if option != "auto":
        return option
    lower = path.lower()
    if lower.endswith(".gz"):
        return "gzip"
    return "zstd" if lower.endswith((".zst", ".zstd")) else "plain"


def _instant(text: str) -> dt.datetime:
    head, _, fraction = text.removesuffix("Z").partition(".")
    return dt.datetime.fromisoformat(f"{head}.{(fraction or '0')[:6].ljust(6, '0')}+00:00")


def _iso_ns(ns: int) -> str:
    """An instant in ISO with nanoseconds."""
    seconds, rest = divmod(max(ns, 0), 1_000_000_000)
    head = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{head}.{rest:09d}Z"
