"""Pinned packages in a folder of their own: what the scripts of this folder have in common."""

import json
import os
import subprocess
import sys
import tempfile
import venv

_INSIDE = "FINDING_INSIDE"


def hold(pins, look, expected):
    """Runs `look()` with the packages `pins` {name: version} and nothing else, and ends the process.

    `look` returns what it saw, as JSON can hold it. Prints the versions and what was seen; exit
    status 0 when that is `expected`, 1 when it is not. Takes the network for the packages alone.
    """
    if os.environ.get(_INSIDE):
        seen = json.loads(json.dumps(look()))
        print("versions:", ", ".join(f"{name} {version}" for name, version in pins.items()))
        for name, value in seen.items():
            print(f"{name}: {value}")
        if seen == expected:
            print("as found before")
            sys.exit(0)
        print(f"CHANGED: expected {expected}")
        sys.exit(1)
    with tempfile.TemporaryDirectory(prefix="finding-") as folder:
        venv.create(folder, with_pip=True)
        python = os.path.join(folder, "bin", "python")
        wanted = [f"{name}=={version}" for name, version in pins.items()]
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--only-binary=:all:", *wanted], check=True)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, _INSIDE: "1"}
        done = subprocess.run([python, os.path.abspath(sys.argv[0])], env=environment, check=False)
    sys.exit(done.returncode)
