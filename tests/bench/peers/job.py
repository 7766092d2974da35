"""What every peer in training shares: the job that training_bench wrote, and the measurement.

A peer is `python3 PEER.py FOLDER THREADS`. It starts from the same weights, sees the same examples
and computes in float32 like Millrace, takes three epochs to warm up, and then writes one line
{"version": ..., "loss": train loss of the third epoch}. After that it answers every line of
standard input, a number of seconds, with {"steps": optimizer steps a second} over as many whole
epochs as fill that time. A peer's own script holds only what differs: its network and its epoch.
"""

import json
import os
import sys
import time

FOLDER = sys.argv[1]
THREADS = int(sys.argv[2])

# The number of threads is that of the processors that this process may use. This has to happen
# before a peer's library is loaded, since those count processors then.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
os.environ["OMP_NUM_THREADS"] = str(THREADS)

import numpy  # noqa: E402

with open(os.path.join(FOLDER, "spec.json"), encoding="utf-8") as file:
    SPEC = json.load(file)

BATCH = SPEC["batch_size"]
LABELS = numpy.fromfile(os.path.join(FOLDER, "labels.f32"), "<f4")
X = numpy.fromfile(os.path.join(FOLDER, "x.f32"), "<f4").reshape(len(LABELS), -1)
STEPS = len(LABELS) // BATCH  # an epoch

# "relu", "sigmoid", ... a layer
ACTIVATIONS = [
    layer["dense"]["activation"].removeprefix("ACTIVATION_").lower()
    for layer in SPEC["network"]["layers"]
]
UNITS = [layer["dense"]["units"] for layer in SPEC["network"]["layers"]]
BINARY = UNITS[-1] == 1

SGD = SPEC["optimizer"].get("sgd")
ADAM = SPEC["optimizer"].get("adam")


def weights():
    """[(W [inputs, outputs], b [outputs])] before the first step."""
    flat = numpy.fromfile(os.path.join(FOLDER, "weights.f32"), "<f4")
    layers = []
    inputs = X.shape[1]
    for units in UNITS:
        kernel, flat = flat[: inputs * units].reshape(inputs, units), flat[inputs * units :]
        bias, flat = flat[:units], flat[units:]
        layers.append((kernel.copy(), bias.copy()))
        inputs = units
    return layers


def orders():
    """An endless row of new orders of the examples."""
    random = numpy.random.default_rng(1)
    while True:
        yield random.permutation(len(LABELS)).astype(numpy.int32)


def tell(**values):
    print(json.dumps(values), flush=True)


def serve(version, epoch):
    """Measures `epoch`, a function that trains for one epoch and returns its mean loss."""
    for _ in range(3):
        loss = epoch()
    tell(version=version, loss=float(loss))
    for line in sys.stdin:
        start = time.perf_counter()
        seconds = 0.0
        epochs = 0
        while seconds < float(line):
            epoch()
            epochs += 1
            seconds = time.perf_counter() - start
        tell(steps=epochs * STEPS / seconds)
