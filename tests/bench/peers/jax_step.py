"""JAX: one compiled step at a time."""

import jax
import jax.numpy as jnp

import job
import jax_network as network


def run(parameters, slots, x, labels, first):
    batch = [jax.lax.dynamic_slice_in_dim(array, first, job.BATCH) for array in (x, labels)]
    (parameters, slots), loss = network.step((parameters, slots), batch)
    return parameters, slots, loss


RUN = jax.jit(run, donate_argnums=(0, 1))
GATHER = jax.jit(lambda order: (network.X[order], network.LABELS[order]))
ORDERS = job.orders()
state = network.start()


def epoch():
    global state
    x, labels = GATHER(next(ORDERS))
    losses = []
    for first in range(0, job.STEPS * job.BATCH, job.BATCH):
        *state, loss = RUN(*state, x, labels, first)
        losses.append(loss)
    return sum(float(loss) for loss in losses) / job.STEPS


job.serve(network.VERSION, epoch)
