"""JAX: a whole epoch in jax.lax.scan, one program compiled by XLA. `jax_epoch.py FOLDER THREADS
UNROLL` unrolls that many steps."""

import sys

import jax
import jax.numpy as jnp

import job
import jax_network as network

UNROLL = int(sys.argv[3])


def run(parameters, slots, order):
    def step(state, places):
        return network.step(state, (network.X[places], network.LABELS[places]))

    batches = order.reshape(job.STEPS, job.BATCH)
    state, losses = jax.lax.scan(step, (parameters, slots), batches, unroll=UNROLL)
    return *state, jnp.mean(losses)


RUN = jax.jit(run, donate_argnums=(0, 1))
ORDERS = job.orders()
state = network.start()


def epoch():
    global state
    *state, loss = RUN(*state, next(ORDERS))
    return loss.block_until_ready()


job.serve(network.VERSION, epoch)
