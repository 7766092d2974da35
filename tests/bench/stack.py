"""Runs on the three services, as a user has them: the command, from a CSV file to SUCCEEDED."""

import json
import os
import re
from datetime import datetime

from programs import BIN, output_of

SERVICES = ("data", "training", "serving")


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Stack:
    """Three services on free ports, with their files in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = dict(os.environ)

    def __enter__(self):
        words = ["up", "--detach", "--folder", self.folder]
        for service in SERVICES:
            words += [f"--{service}-address", "127.0.0.1:0"]
        for line in self.millrace(*words).splitlines():
            service, address, *_ = line.split()
            if service in SERVICES:
                self.environment[f"MILLRACE_{service.upper()}_ADDRESS"] = address
        return self

    def __exit__(self, *_):
        self.millrace("down", "--folder", self.folder)

    def millrace(self, *words):
        return output_of([os.path.join(BIN, "millrace"), *words], env=self.environment)

    def import_examples(self, file, name):
        """Imports a CSV as it is and returns the examples in its train split."""
        words = ["dataset", "import", file, "--name", name, "--label", "label", "--scaling", "none"]
        return int(json.loads(self.millrace(*words, "-o", "json"))["trainCount"])

    def run(self, spec, name, epochs):
        """Trains by a job's spec and returns the seconds from CreateRun to SUCCEEDED."""
        with open(spec, encoding="utf-8") as file:
            text = re.sub(r"(ACTIVATION|INITIALIZER)_(\w+)", lambda m: m[2].lower(), file.read())
        spec = os.path.join(self.folder, f"{name}.yaml")  # JSON is YAML
        with open(spec, "w", encoding="utf-8") as file:
            file.write(text)
        words = ["run", "start", "-f", spec, "--dataset", name, "--model", name]
        run = json.loads(self.millrace(*words, "--epochs", str(epochs), "-o", "json"))
        return (moment(run["endTime"]) - moment(run["createTime"])).total_seconds()
