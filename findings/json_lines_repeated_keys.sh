#!/usr/bin/env bash
# Of a key that a JSON object has twice, Polars takes the first value and pandas the last.
#
# Both read the line without a word. RFC 8259 allows such objects and says that what software does
# with them is unpredictable; two libraries that are used one for the other read two tables from one
# file. Python's own `json` takes the last one, DuckDB refuses the line and names it.
# Seen with polars 2.1.0, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
  polars==2.1.0 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import os
import tempfile
import warnings


def look():
    import pandas
    import polars

    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.jsonl")
        with open(path, "w", encoding="ascii") as file:
            file.write('{"dose": 1, "dose": 20}\n')
        return {
            "polars": polars.read_ndjson(path).to_dicts(),
            "pandas": pandas.read_json(path, lines=True).to_dict("records"),
        }


seen = look()
expected = {"polars": [{"dose": 1}], "pandas": [{"dose": 20}]}
for name, value in seen.items():
    print(f"{name}: {value}")
if seen != expected:
    raise SystemExit(f"CHANGED: expected {expected}")
print("as found before")
PYTHON
