"""Measures, and prints one table. Called by tests/bench/run, which says how."""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import textwrap
import time

import machine
import stack
from programs import BIN, ROOT, Benchmark, Failed, Peer, best, output_of, take_turns
from table import Row, markdown

PAGE = os.path.join(ROOT, "docs", "benchmarks.md")
PARTS = ["training", "runs", "serving", "import", "memory"]
COUNTS = (1, 2)  # threads that are tried
LOSS_TOLERANCE = 0.03  # of ours

# Multiply-adds count as two. The input of the first layer needs no gradient.
MLP_FLOPS = 2 * (3 * (784 * 512 + 512 * 256 + 256 * 10) - 784 * 512)


class Job:
    """One of the trainings that training_bench knows."""

    def __init__(self, name, title, unit, epochs, floor, goal=None):
        self.name = name
        self.title = title
        self.unit = unit  # steps or samples a second
        self.epochs = epochs  # of a whole Run
        self.floor = floor  # against the best of a whole epoch compiled by XLA
        self.goal = goal
        self.batch = 1
        self.ours = None


JOBS = [
    Job("seed", "2-10-1, batch 10, SGD", "steps", 100, 3.0),
    Job("tabular", "30-64-32-1, batch 32, Adam", "steps", 60, 2.0, 2.3),
    Job("images", "784-512-256-10, batch 128, Adam", "samples", 5, 0.95),
]

# Name, environment, script, its arguments after folder and threads, whether a floor counts it.
TRAINING_PEERS = [
    ("JAX VERSION, epoch in lax.scan", "main", "jax_epoch.py", (1,), True),
    ("JAX VERSION, epoch in lax.scan, 4 steps unrolled", "main", "jax_epoch.py", (4,), True),
    ("JAX VERSION, jitted step", "main", "jax_step.py", (), False),
    ("Keras VERSION, JAX, jit, 100 steps a call", "main", "keras_fit.py", ("jax", 100), False),
    ("Keras VERSION, TensorFlow, jit, 100 steps a call", "main", "keras_fit.py",
     ("tensorflow", 100), False),
    ("Keras VERSION, TensorFlow, fit() as it comes", "main", "keras_fit.py",
     ("tensorflow", 0), False),
    ("PyTorch VERSION, eager, fused Adam", "torch", "torch_eager.py", (), False),
]


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def python_of(environment):
    return os.path.join(ROOT, "build", "peers", environment, "bin", "python")


def environments(options):
    names = (["main"] if options.peers else []) + (["torch"] if options.torch else [])
    return [name for name in names if os.path.exists(python_of(name))]


def threads_of(program):
    return f"{program.threads} thread" + ("s" if program.threads > 1 else "")


def agrees(ours, peer):
    """Whether a peer has learned as much from the same work."""
    return abs(ours.loss - peer.loss) <= LOSS_TOLERANCE * ours.loss


def training_peers(job, options, folder):
    """The peers of a job: for each setting, one program a thread count."""
    known = environments(options)
    settings = []
    for name, environment, script, arguments, counts in TRAINING_PEERS:
        if environment not in known:
            continue
        programs = [
            Peer(name=name, threads=threads, python=python_of(environment), script=script,
                 arguments=(os.path.join(folder, job.name), threads, *arguments), counter="steps")
            for threads in COUNTS
        ]
        settings.append((programs, counts))
    return settings


def training(options, folder):
    rows = []
    for job in JOBS:
        say(f"training {job.title}")
        with open(os.path.join(folder, job.name, "spec.json"), encoding="utf-8") as file:
            job.batch = json.load(file)["batch_size"] if job.unit == "samples" else 1
        ours = [
            Benchmark(name="Millrace", threads=threads, program="training_bench",
                      benchmark=f"Measure/{job.name}", counter="steps")
            for threads in (COUNTS if job.unit == "samples" else (1,))
        ]
        settings = training_peers(job, options, folder)
        take_turns(ours + [peer for peers, _ in settings for peer in peers], options.rounds)
        job.ours = best(ours)
        rows += training_rows(job, settings)
        say("\n" + markdown(rows[-max(len(settings), 1):]))
    return rows


def training_rows(job, settings):
    figures = [value * job.batch for value in job.ours.values]
    what = f"train {job.title}"
    unit = f"{job.unit}/s"
    note = f"{threads_of(job.ours)}, loss {job.ours.loss:.4f}"
    rows = [(best(peers), counts) for peers, counts in settings]
    if not rows:
        return [Row(what, unit, figures, note=note, floor=job.floor, goal=job.goal)]
    champion = best([peer for peer, counts in rows if counts])
    result = []
    for peer, _ in rows:
        loss = f"loss {peer.loss:.4f}" + ("" if agrees(job.ours, peer) else ", NOT THE SAME WORK")
        result.append(
            Row(what, unit, figures, f"{peer.name}, {threads_of(peer)}, {loss}",
                [value * job.batch for value in peer.values],
                floor=job.floor if peer is champion else None,
                goal=job.goal if peer is champion else None, note=note)
        )
    return result


def products(options):
    """Our large network beside the best product of two matrices that this machine gives."""
    say("products of matrices")
    levels = ["v3"] + (["v4"] if machine.has_avx512() else [])
    programs = [
        Benchmark(name=f"Eigen, x86-64-{level}", threads=threads, program=f"eigen_bench_{level}",
                  benchmark="Product/real_time", counter="flops")
        for level in levels for threads in COUNTS
    ]
    if "main" in environments(options):
        programs += [
            Peer(name="OpenBLAS of NumPy VERSION", threads=threads, python=python_of("main"),
                 script="sgemm_openblas.py", arguments=(threads,), counter="flops", seconds=0.3)
            for threads in COUNTS
        ]
    job = JOBS[-1]
    network = Benchmark(name="Millrace", threads=job.ours.threads, program="training_bench",
                        benchmark=f"Measure/{job.name}", counter="steps")
    take_turns([network] + programs, options.rounds)
    figures = [value * job.batch * MLP_FLOPS / 1e9 for value in network.values]
    champion = best(programs)
    rows = []
    for name in dict.fromkeys(program.name for program in programs):
        peer = best([program for program in programs if program.name == name])
        rows.append(
            Row(f"multiply-adds of training {job.title}, all of the step's time counted", "GFLOP/s",
                figures, f"{peer.name}, products 512×512×512, {threads_of(peer)}",
                [value / 1e9 for value in peer.values],
                floor=0.65 if peer is champion else None, note=threads_of(network))
        )
    return rows


def runs(options, folder):
    """Whole Runs: fetching, training, evaluating and publishing, in a worker's process."""
    rows = []
    with stack.Stack(os.path.join(folder, "stack")) as services:
        for job in JOBS:
            say(f"a whole Run of {job.title}")
            files = os.path.join(folder, job.name)
            name = job.name
            examples = services.import_examples(os.path.join(files, "examples.csv"), name)
            spec = os.path.join(files, "spec.json")
            seconds = [services.run(spec, name, job.epochs) for _ in range(options.rounds)]
            with open(spec, encoding="utf-8") as file:
                steps = -(-examples // json.load(file)["batch_size"]) * job.epochs
            engine = steps / job.ours.median
            rows.append(
                Row(f"whole Run {job.title}, {examples:,} examples, {job.epochs} epochs,"
                    " CreateRun to SUCCEEDED", "s", seconds,
                    f"the engine alone, {steps:,} steps at the rate above", [engine],
                    ratios=[value / engine for value in seconds])
            )
    return rows


LINE = re.compile(
    r"^(\w+)\s+(\d+) in flight:\s+(\d+) a second, echo\s+(\d+), ratio [\d.]+;"
    r" ([\d.]+) us of processor time a call, echo ([\d.]+)", re.MULTILINE
)


def serving(options):
    rounds = max(options.rounds, 15)
    found = {}
    for round_ in range(rounds):
        say(f"serving, round {round_ + 1} of {rounds}")
        for name, flights, *figures in LINE.findall(
            output_of([os.path.join(BIN, "serving_bench"), "1", "300"])
        ):
            found.setdefault((name, flights), []).append([float(figure) for figure in figures])
    rows = []
    for (name, flights), values in found.items():
        rates, echoes, spent, echo_spent = (list(column) for column in zip(*values))
        rows.append(
            Row(f"serve 30-64-32-1, {name}, {flights} in flight", "requests/s", rates,
                f"plain gRPC echo of the same messages, {statistics.median(echo_spent):.1f} µs",
                echoes, floor=0.90, goal=0.95,
                note=f"{statistics.median(spent):.1f} µs of the server's processor time a call")
        )
    return rows


MEMORY = re.compile(r"^(\w+), (.+): (\d+) MB before, (\d+) MB at the most, (\d+) MB after",
                    re.MULTILINE)


def memory():
    """What a service keeps when the work is over; the floor is 20 MB more than before."""
    say("memory, before and after")
    rows = []
    for service, work, before, most, after in MEMORY.findall(
        output_of([os.path.join(BIN, "memory_bench")])
    ):
        allowed = float(before) + 20
        rows.append(
            Row(f"resident memory of {service}, 30 s after {work} came and went", "MB",
                [float(after)], "before, and 20 MB", [allowed], ratios=[allowed / float(after)],
                floor=1.0, note=f"{most} MB at the most")
        )
    return rows


def importing(options, folder):
    program = os.path.join(BIN, "import_bench")
    if not os.path.exists(program):
        say("import_bench is not built: no rows for importing")
        return []
    file = os.path.join(folder, "mixed.csv")
    output_of([program, "--generate", file, "--megabytes", "200"])
    peers = []
    if "main" in environments(options):
        peers = [
            Peer(name=f"{name} VERSION, CSV to zstd Parquet", threads=max(COUNTS),
                 python=python_of("main"), script="import_csv.py",
                 arguments=(name, file, max(COUNTS)), counter="mb")
            for name in ("polars", "pyarrow", "duckdb")
        ]
    figures = []
    memory = []
    try:
        for peer in peers:
            peer.start()
        for round_ in range(options.rounds):
            say(f"import, round {round_ + 1} of {options.rounds}")
            result = json.loads(output_of([program, file]))
            figures.append(result["megabytes_per_second"])
            memory.append(result["peak_rss_megabytes"])
            for peer in peers:
                peer.values.append(peer.measure())
    finally:
        for peer in peers:
            peer.stop()
    what = "import a CSV of 200 MB: types, statistics, cleaning, splits, store"
    note = f"peak memory {max(memory):.0f} MB"
    if not peers:
        return [Row(what, "MB/s", figures, note=note, floor=0.6)]
    return [
        Row(what, "MB/s", figures, peer.name, peer.values,
            floor=0.6 if peer.name.startswith("polars") else None, note=note)
        for peer in peers
    ]


INTRODUCTION = """Written by `{command} --write`; not edited by hand. A figure is a median, with the
lowest and the highest round behind it. Ours and the peers take turns in every round, and a ratio is
the median of the rounds' ratios. Each peer is shown at its better thread count of one and two.
Training peers start from the same weights and see the same examples, in memory, in float32, in a
new order every epoch; the loss is that of the third epoch. [tests/bench](../tests/bench/README.md) says
what each row does."""


def verdict(rows):
    missed = [f"- {row.what}: {row.ratio:.2f} of {row.floor:g}" for row in rows if row.missed]
    if missed:
        return "\n".join(["Floors that were missed:", "", *missed])
    unknown = any(row.floor is not None and row.ratio is None for row in rows)
    return "No floor was missed." + (" Some have no peer in this run." if unknown else "")


def page(rows, command, load_before):
    """docs/benchmarks.md."""
    lines = [
        "# Benchmarks",
        "",
        textwrap.fill(INTRODUCTION.format(command=command), 100, break_on_hyphens=False),
        "",
        *machine.describe(load_before),
        "",
        verdict(rows),
        "",
        markdown(rows),
        "",
    ]
    return "\n".join(lines)


def parse(words):
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="beside JAX, Keras, TensorFlow, ...")
    parser.add_argument("--torch", action="store_true", help="beside PyTorch, too")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of a row (default 5)")
    parser.add_argument("--only", action="append", choices=PARTS,
                        help="this part only; may be repeated")
    parser.add_argument("--write", action="store_true", help="also write docs/benchmarks.md")
    options = parser.parse_args(words)
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if options.write and options.only:
        parser.error("--write wants the whole table: leave --only out")
    options.only = options.only or PARTS
    return options


def measure(options):
    rows = []
    with tempfile.TemporaryDirectory(prefix="millrace-bench.") as folder:
        output_of([os.path.join(BIN, "training_bench"), f"--write={folder}"])
        if "training" in options.only or "runs" in options.only:
            rows += training(options, folder)
            rows += products(options)
        if "runs" in options.only:
            rows += runs(options, folder)
        if "serving" in options.only:
            rows += serving(options)
        if "import" in options.only:
            rows += importing(options, folder)
        if "memory" in options.only:
            rows += memory()
    return rows


def main(words):
    options = parse(words)
    load_before = machine.load()
    try:
        rows = measure(options)
    except Failed as failure:
        print(f"tests/bench/run: {failure}", file=sys.stderr)
        return 1
    command = " ".join(["tests/bench/run", *(word for word in words if word != "--write")])
    text = page(rows, command, load_before)
    if options.write:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(text)
    print(text)
    return 1 if any(row.missed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
