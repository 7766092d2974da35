#!/usr/bin/env python3
"""Keras' AUC of a perfect ranking is 0.5 when every score lies below its first threshold.

`keras.metrics.AUC` sums over 200 thresholds, evenly spaced from 0 to 1. A model of a rare event
gives 0.002 to the ten that have it and 0.001 to all others: by ranks its area is 1, and Keras says
0.5, which is that of guessing. 20,000 thresholds find it; nothing says that 200 are too few.
"""

import os

import packages


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


packages.hold({"keras": "3.15.1", "jax": "0.10.2"}, look,
              {"by default": 0.5, "with 20,000 thresholds": 1.0})
