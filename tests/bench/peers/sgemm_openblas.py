"""OpenBLAS through NumPy: the product of two 512 x 512 matrices. `sgemm_openblas.py THREADS`."""

import json
import os
import sys
import time

THREADS = int(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import numpy  # noqa: E402

SIZE = 512
random = numpy.random.default_rng(1)
x, w = random.random((2, SIZE, SIZE), dtype=numpy.float32)
y = numpy.empty_like(x)

for _ in range(20):
    numpy.matmul(x, w, out=y)
print(json.dumps({"version": numpy.__version__}), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    seconds = 0.0
    count = 0
    while seconds < float(line):
        numpy.matmul(x, w, out=y)
        count += 1
        seconds = time.perf_counter() - start
    print(json.dumps({"flops": 2 * SIZE**3 * count / seconds}), flush=True)
