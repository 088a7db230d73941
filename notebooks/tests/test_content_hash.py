"""Runs with pytest, or with plain python3: python3 notebooks/tests/test_content_hash.py"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))

from lakeforge.content_hash import content_hash, parse_type, row_hash, row_text  # noqa: E402


def from_json(kind, value):
    """A value as the vectors write it: integers as text, binary as hex."""
    if value is None:
        return None
    match kind:
        case ("binary",):
            return bytes.fromhex(value)
        case ("array", element):
            return [from_json(element, item) for item in value]
        case ("map", key, item):
            return [(from_json(key, k), from_json(item, v)) for k, v in value]
        case ("struct", fields):
            return {name: from_json(inner, value.get(name)) for name, inner in fields}
        case ("float",) | ("double",):
            return float(value)
    return value


def test_every_vector_has_its_text_hash_and_sum():
    vectors = json.loads((ROOT / "functions/core/content-hash.vectors.json").read_text("utf-8"))
    assert len(vectors) >= 10
    for vector in vectors:
        columns = [(column["name"], column["type"]) for column in vector["columns"]]
        rows = [
            {name: from_json(parse_type(kind), row["value"].get(name)) for name, kind in columns}
            for row in vector["rows"]
        ]
        for row, expected in zip(rows, vector["rows"], strict=True):
            text = row_text(columns, row)
            assert text == expected["text"]
            assert f"{row_hash(text):016x}" == expected["hash"]
        assert content_hash(columns, rows) == vector["content_hash"]
        assert content_hash(columns[::-1], rows[::-1]) == vector["content_hash"]


if __name__ == "__main__":
    test_every_vector_has_its_text_hash_and_sum()
    print("ok")
