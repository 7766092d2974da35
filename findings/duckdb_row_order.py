#!/usr/bin/env python3
"""DuckDB guesses another type for a CSV column when its rows come in another order.

A file of `inf` and `3` is a column of texts, and the same two cells turned round are a column of
doubles: then `max` is infinity, and before it was the text that sorts last. Nothing is said. One
expects a guess to depend on the cells and not on their order, as a type is a column's and two
exports of one table differ in their order alone.
"""

import os
import tempfile

import packages


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


packages.hold({"duckdb": "2.0.1"}, look,
              {"inf, 3": ["VARCHAR", "inf"], "3, inf": ["DOUBLE", "inf"]})
