"""The programs that are measured: ours, by Google Benchmark, and peers, which wait between two
measurements, so that all of a row can take turns."""

import json
import os
import statistics
import subprocess
from dataclasses import dataclass, field

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.path.join(ROOT, "build", "release", "bin")
PEERS = os.path.join(os.path.dirname(__file__), "peers")


class Failed(Exception):
    """A program that ended in another way than it should have; says what it wrote."""


def environment():
    """That of peers: without what would choose their kernels for them."""
    return {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}


def output_of(command, **options):
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


@dataclass
class Program:
    """Something that can be measured again and again, with one kind of figure."""

    name: str
    threads: int
    values: list = field(default_factory=list)
    loss: float | None = None

    def start(self):
        """Does what comes before the first measurement."""

    def measure(self):
        """Takes one measurement and returns its figure."""
        raise NotImplementedError

    def stop(self):
        """Ends what start() began."""

    @property
    def median(self):
        return statistics.median(self.values)


@dataclass
class Benchmark(Program):
    """One benchmark of a Google Benchmark program; `counter` is the figure."""

    program: str = ""
    benchmark: str = ""
    counter: str = ""

    def measure(self):
        command = [
            os.path.join(BIN, self.program),
            f"--benchmark_filter=^{self.benchmark}/threads:{self.threads}(/|$)",
            "--benchmark_min_time=0.1",
            "--benchmark_format=json",
        ]
        result = json.loads(output_of(command))["benchmarks"][0]
        self.loss = result.get("loss")
        return result[self.counter]


@dataclass
class Peer(Program):
    """A script of tests/bench/peers: one line when it is ready, then one a measurement."""

    python: str = "python3"
    script: str = ""
    arguments: tuple = ()
    counter: str = ""
    seconds: float = 0.5
    process: subprocess.Popen | None = None

    def start(self):
        command = [self.python, os.path.join(PEERS, self.script), *map(str, self.arguments)]
        self.process = subprocess.Popen(
            command,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        ready = self.answer()
        self.name = self.name.replace("VERSION", ready["version"])
        self.loss = ready.get("loss")

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.script} {' '.join(map(str, self.arguments))} ended early")
        return json.loads(line)

    def measure(self):
        self.process.stdin.write(f"{self.seconds}\n")
        self.process.stdin.flush()
        return self.answer()[self.counter]

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


def take_turns(programs, rounds):
    """Measures all programs `rounds` times, one after the other in each round."""
    try:
        for program in programs:
            program.start()
        for _ in range(rounds):
            for program in programs:
                program.values.append(program.measure())
    finally:
        for program in programs:
            program.stop()


def best(programs):
    """The one with the highest median: a peer's best setting."""
    return max(programs, key=lambda program: program.median)
