#!/usr/bin/env python3
"""Of a key that a JSON object has twice, Polars takes the first value and pandas the last.

Both read the line without a word. RFC 8259 allows such objects and says that what software does
with them is unpredictable; two libraries that are used one for the other read two tables from one
file. Python's own `json` takes the last one, DuckDB refuses the line and names it.
"""

import os
import tempfile
import warnings

import packages


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


packages.hold({"polars": "2.1.0", "pandas": "3.1.1"}, look,
              {"polars": [{"dose": 1}], "pandas": [{"dose": 20}]})
