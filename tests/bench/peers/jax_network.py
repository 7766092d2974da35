"""The network, loss and optimizer of a job in JAX and Optax."""

import jax
import jax.numpy as jnp
import optax

import job

VERSION = jax.__version__

if job.SGD:
    OPTIMIZER = optax.sgd(job.SGD["learning_rate"])
else:
    OPTIMIZER = optax.adam(
        job.ADAM["learning_rate"], job.ADAM["beta_1"], job.ADAM["beta_2"], job.ADAM["epsilon"]
    )

X = jnp.asarray(job.X)
LABELS = jnp.asarray(job.LABELS if job.BINARY else job.LABELS.astype("int32"))


def start():
    """Parameters and the optimizer's state before the first step."""
    parameters = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in job.weights()]
    return parameters, OPTIMIZER.init(parameters)


def loss(parameters, x, labels):
    for (kernel, bias), activation in zip(parameters[:-1], job.ACTIVATIONS):
        x = getattr(jax.nn, activation)(x @ kernel + bias)
    kernel, bias = parameters[-1]
    logits = x @ kernel + bias
    if job.BINARY:
        return optax.sigmoid_binary_cross_entropy(logits[:, 0], labels).mean()
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def step(state, batch):
    """One optimizer step, as jax.lax.scan() wants it: (new state, loss)."""
    parameters, slots = state
    value, gradients = jax.value_and_grad(loss)(parameters, *batch)
    updates, slots = OPTIMIZER.update(gradients, slots, parameters)
    return (optax.apply_updates(parameters, updates), slots), value
