#!/usr/bin/env python3
"""Writes what AWS's own model says of the requests that the simulated cloud takes: which members are required, how long they may be, which
values they may have. The model is that of botocore (Apache-2.0), in one version; an upgrade is a commit.

    python3 test/awsmodel.py           # writes internal/sim/model/requests.json, and installs that version into a cache if it is not there
    python3 test/awsmodel.py check     # fails if the file is not what this would write

Every operation of a table.go has an entry. What says nothing about a request is left out, and so are patterns that Go does not read, which are
listed.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

VERSION = "1.44.8"
ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE = ROOT / "internal/sim/model/requests.json"

# The directories of the simulated services, and their names in botocore.
SERVICES = {
    "appautoscaling": "application-autoscaling", "autoscaling": "autoscaling", "cloudwatch": "cloudwatch", "ec2": "ec2", "ecs": "ecs", "elb": "elbv2",
    "events": "events", "lambda": "lambda", "secretsmanager": "secretsmanager", "servicediscovery": "servicediscovery", "sns": "sns", "sqs": "sqs",
    "ssm": "ssm", "sts": "sts", "vpclattice": "vpc-lattice",
}


def go_pattern(text):
    """Returns a pattern of AWS's model as Go reads it, or None. Java's has surrogates, which Go has not, looks around, which Go cannot, and repeats
    more than 1,000 times: those are bounded by a length too."""
    if re.search(r"\(\?<?[=!]", text):
        return None
    text = text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\x{10000}-\x{10FFFF}").replace(r"\p{Print}", "[[:print:]]")
    text = re.sub(r"\{1,\d{4,}\}", "+", text)
    return re.sub(r"\\u([0-9A-Fa-f]{4})", r"\\x{\1}", text)


def find_botocore():
    """Returns the loader of the models of the right botocore. If there is none, this program begins again with one of its own."""
    try:
        import botocore
        if botocore.__version__ == VERSION:
            import botocore.loaders
            return botocore.loaders.Loader()
    except ImportError:
        pass
    venv = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / f"ebb-ci/botocore-{VERSION}"
    python = venv / "bin/python"
    if pathlib.Path(sys.prefix).resolve() == venv.resolve():
        sys.exit(f"{venv} has another botocore than {VERSION}; remove it and try again")
    if not python.exists():
        print(f"installing botocore {VERSION} into {venv}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", f"botocore=={VERSION}"], check=True)
    os.execv(python, [python, __file__, *sys.argv[1:]])


class Service:
    def __init__(self, loader, name):
        model = loader.load_service_model(name, "service-2")
        self.all, self.operations, self.shapes, self.unread = model["shapes"], model["operations"], {}, []

    def keep(self, name):
        """Keeps a shape and what it is made of, and returns its name, or None if it says nothing."""
        if name in self.shapes:
            return name if self.shapes[name] is not None else None
        self.shapes[name] = None  # until it is known; a shape that contains itself says nothing by that
        s, out = self.all[name], {}
        kind = s["type"]
        for bound in ("min", "max"):
            if bound in s and kind in ("string", "list", "map", "integer", "long", "float", "double", "blob"):
                out[bound] = s[bound]
        if kind == "structure":
            required = s.get("required", [])
            members = [[m, kept or ""] for m, of in s.get("members", {}).items() if (kept := self.keep(of["shape"])) or m in required]
            out.update({k: v for k, v in (("members", members), ("required", required)) if v})
        elif kind == "list":
            if kept := self.keep(s["member"]["shape"]):
                out["list"] = kept
        elif kind == "map":
            out.update({k: kept for k in ("key", "value") if (kept := self.keep(s[k]["shape"]))})
        elif kind == "string":
            if "enum" in s:
                out["enum"] = s["enum"]
            if "pattern" in s:
                pattern = go_pattern(s["pattern"])
                if pattern is None:
                    self.unread.append(name)
                else:
                    out.update({"pattern": s["pattern"]} | ({"regexp": pattern} if pattern != s["pattern"] else {}))
        if not out:
            return None
        self.shapes[name] = out
        return name

    def table(self, operations):
        rows = {}
        for op in operations:
            if op not in self.operations:
                sys.exit(f"botocore {VERSION} has no operation {op}")
            shape = self.operations[op].get("input", {}).get("shape")
            rows[op] = (self.keep(shape) if shape else None) or ""
        shapes = {name: s for name, s in sorted(self.shapes.items()) if s is not None}
        return {"operations": rows, "shapes": shapes} | ({"unread": sorted(self.unread)} if self.unread else {})


def written(services):
    """Writes the table with a line for each operation and each shape."""
    out = []
    for name, s in sorted(services.items()):
        parts = []
        for part, rows in sorted(s.items()):
            if isinstance(rows, dict):
                rows = "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(rows.items())) + "\n}"
            else:
                rows = json.dumps(rows)
            parts.append(f"{json.dumps(part)}: {rows}")
        out.append(f"{json.dumps(name)}: {{\n" + ",\n".join(parts) + "\n}")
    return f'{{"botocore": {json.dumps(VERSION)}, "services": {{\n' + ",\n".join(out) + "\n}}\n"


def main():
    loader, services = find_botocore(), {}
    for directory, name in SERVICES.items():
        code = "".join(f.read_text() for f in sorted((ROOT / "internal/sim" / directory).glob("*.go")))
        services[name] = Service(loader, name).table(sorted(set(re.findall(r'NewOperation\(\s*"(\w+)"', code))))
    text = written(services)
    if sys.argv[1:] == ["check"]:
        if FILE.read_text() != text:
            sys.exit(f"{FILE.relative_to(ROOT)} is not what AWS's model of botocore {VERSION} says; run: python3 test/awsmodel.py")
        print(f"ok     {sum(len(s['operations']) for s in services.values())} operations are as AWS's model has them")
        return
    FILE.write_text(text)


if __name__ == "__main__":
    main()
