#!/usr/bin/env bash
# Keras' AUC of a perfect ranking is 0.5 when every score lies below its first threshold.
#
# `keras.metrics.AUC` sums over 200 thresholds, evenly spaced from 0 to 1. A model of a rare event
# gives 0.002 to the ten that have it and 0.001 to all others: by ranks its area is 1, and Keras says
# 0.5, which is that of guessing. 20,000 thresholds find it; nothing says that 200 are too few.
# Seen with keras 3.15.1, jax 0.10.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
  keras==3.15.1 jax==0.10.2
"$folder/venv/bin/python" - <<'PYTHON'
import os


def look():
    os.environ["KERAS_BACKEND"] = "jax"
    import keras
    import numpy

    truth = numpy.zeros(1000)
    truth[:10] = 1
    scores = numpy.where(truth == 1, 0.002, 0.001)

    def area(**options):
        metric = keras.metrics.AUC(**options)
        metric.update_state(truth, scores)
        return round(float(metric.result()), 3)

    return {"by default": area(), "with 20,000 thresholds": area(num_thresholds=20_000)}


seen = look()
expected = {"by default": 0.5, "with 20,000 thresholds": 1.0}
for name, value in seen.items():
    print(f"{name}: {value}")
if seen != expected:
    raise SystemExit(f"CHANGED: expected {expected}")
print("as found before")
PYTHON
