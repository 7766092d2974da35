"""Reading a CSV file and storing it as Parquet with zstd. `import_csv.py PEER FILE THREADS`, PEER
being `polars` (streaming), `pyarrow` or `duckdb`. Answers every line of standard input with one
pass, in MB (10^6 bytes of CSV) a second."""

import json
import os
import sys
import tempfile
import time

PEER, FILE, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def polars_pass(target):
    import polars

    polars.scan_csv(FILE, null_values=["NA"]).sink_parquet(target, compression="zstd")
    return polars.__version__


def pyarrow_pass(target):
    import pyarrow
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(FILE), target, compression="zstd")
    return pyarrow.__version__


def duckdb_pass(target):
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    connection.execute(
        f"COPY (FROM read_csv('{FILE}', nullstr='NA')) TO '{target}'"
        " (FORMAT parquet, COMPRESSION zstd)"
    )
    return duckdb.__version__


run = {"polars": polars_pass, "pyarrow": pyarrow_pass, "duckdb": duckdb_pass}[PEER]
with tempfile.TemporaryDirectory() as folder:
    target = os.path.join(folder, "stored.parquet")
    print(json.dumps({"version": run(target)}), flush=True)  # warms the file's pages
    for _ in sys.stdin:
        start = time.perf_counter()
        run(target)
        seconds = time.perf_counter() - start
        print(json.dumps({"mb": os.path.getsize(FILE) / 1e6 / seconds}), flush=True)
