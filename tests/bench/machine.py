"""What a figure depends on: the machine, and what else it did."""

import os
import platform
import re

from programs import ROOT, output_of


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def processor():
    """(model, features) of the first processor."""
    text = read("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    family = re.search(r"^cpu family\s*: (.*)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)$", text, re.MULTILINE)
    name = model.group(1) if model else "unknown"
    return f"{name}, family {family.group(1) if family else '?'}", set(flags.group(1).split())


def has_avx512():
    return {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"} <= processor()[1]


def load():
    """Processes that wanted to run, on average over the last minute."""
    return os.getloadavg()[0]


def system():
    text = read("/etc/os-release")
    return re.search(r'^PRETTY_NAME="(.*)"$', text, re.MULTILINE).group(1)


def commit():
    hash_ = output_of(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"]).strip()
    return hash_ if hash_ else "unknown"


def describe(load_before):
    """Lines of a Markdown list."""
    memory = int(re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo")).group(1)) / 2**20
    compiler = output_of(["c++", "--version"]).splitlines()[0]
    level = "AVX-512" if has_avx512() else "AVX2"
    return [
        f"- processor: {processor()[0]}; {len(os.sched_getaffinity(0))} cores; {memory:.0f} GiB",
        f"- kernel level: {level}",
        f"- system: {system()}, Linux {platform.release()}, {compiler}",
        f"- Python of the peers: {platform.python_version()}",
        f"- load average before and after: {load_before:.2f}, {load():.2f}"
        " (above 0.5 before: others worked on the machine, so take ratios, not rates)",
        f"- commit: {commit()}",
    ]
