"""Keras: fit(). `keras_fit.py FOLDER THREADS BACKEND STEPS` with the backend `jax` or `tensorflow`;
STEPS is how many steps one execution takes, compiled by XLA, or 0 for fit() as it comes."""

import os
import sys

import job

os.environ["KERAS_BACKEND"] = sys.argv[3]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
STEPS = int(sys.argv[4])

import keras  # noqa: E402

if job.SGD:
    optimizer = keras.optimizers.SGD(job.SGD["learning_rate"])
else:
    optimizer = keras.optimizers.Adam(
        job.ADAM["learning_rate"], job.ADAM["beta_1"], job.ADAM["beta_2"], job.ADAM["epsilon"]
    )

model = keras.Sequential([keras.Input((job.X.shape[1],))])
for units, activation in zip(job.UNITS, job.ACTIVATIONS):
    model.add(keras.layers.Dense(units, activation=activation))
model.set_weights([array for layer in job.weights() for array in layer])
compiled = {"jit_compile": True, "steps_per_execution": STEPS} if STEPS else {}
model.compile(
    optimizer=optimizer,
    loss="binary_crossentropy" if job.BINARY else "sparse_categorical_crossentropy",
    **compiled,
)


def epoch():
    history = model.fit(job.X, job.LABELS, batch_size=job.BATCH, epochs=1, shuffle=True, verbose=0)
    return history.history["loss"][-1]


job.serve(keras.__version__, epoch)
