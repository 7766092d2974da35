#!/usr/bin/env bash
# DuckDB guesses another type for a CSV column when its rows come in another order.
#
# A file of `inf` and `3` is a column of texts, and the same two cells turned round are a column of
# doubles: then `max` is infinity, and before it was the text that sorts last. Nothing is said. One
# expects a guess to depend on the cells and not on their order, as a type is a column's and two
# exports of one table differ in their order alone.
# Seen with duckdb 2.0.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
  duckdb==2.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import os
import tempfile


def look():
    import duckdb

    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        for cells in (["inf", "3"], ["3", "inf"]):
            path = os.path.join(folder, "t.csv")
            with open(path, "w", encoding="ascii") as file:
                file.write("v\n" + "\n".join(cells) + "\n")
            rows = duckdb.sql(f"select any_value(typeof(v)), max(v)::text from '{path}'")
            seen[", ".join(cells)] = list(rows.fetchall()[0])
    return seen


seen = look()
expected = {"inf, 3": ["VARCHAR", "inf"], "3, inf": ["DOUBLE", "inf"]}
for name, value in seen.items():
    print(f"{name}: {value}")
if seen != expected:
    raise SystemExit(f"CHANGED: expected {expected}")
print("as found before")
PYTHON
