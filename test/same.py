#!/usr/bin/env python3
"""Compares two dumps of the seeds: python3 test/same.py BEFORE AFTER.

A dump is made by: go test ./internal/sim/story -run '^TestSeeds$' -count=1 -once -seeds=20000 -dump=FILE
Every seed must have the same scenario, the same record of the world, and the same outcome and reason of every drain. What differs is
listed: at most -n seeds (10), each with the lines that differ. The exit code is 1 if a seed differs. With -drains only the scenario and
the drains count, and not the world's record, which shows every call and its time. With -renamed the scenario does not count: a key of
the story files has another name.
"""
import argparse
import difflib
import sys


def seeds(name):
    found, current = {}, None
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("seed "):
                current = found.setdefault(int(line.split()[1]), [])
            else:
                current.append(line.rstrip("\n"))
    return found


def without_world(lines):
    return [line.split(" world ")[0] for line in lines[:1]] + lines[1:]


def without_scenario(lines):
    return [line.split(" world ")[-1] for line in lines[:1]] + lines[1:]


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("before")
    args.add_argument("after")
    args.add_argument("-n", type=int, default=10, help="how many seeds that differ are listed")
    args.add_argument("-drains", action="store_true", help="compare scenarios and drains only")
    args.add_argument("-renamed", action="store_true", help="compare records and drains, and not the text of the scenarios")
    args = args.parse_args()
    before, after = seeds(args.before), seeds(args.after)
    common = sorted(before.keys() & after.keys())
    if not common:
        sys.exit("the two dumps have no seed in common")
    drains = sum(len(before[s]) - 1 for s in common)
    cut = without_world if args.drains else without_scenario if args.renamed else lambda lines: lines
    differ = [s for s in common if cut(before[s]) != cut(after[s])]
    ended = sum(1 for s in differ for line in difflib.ndiff(before[s][1:], after[s][1:]) if line.startswith("- "))
    print(f"{len(common)} seeds, {drains} drains: {len(differ)} seeds differ, in them {ended} drains ended otherwise")
    for s in differ[: args.n]:
        print(f"seed {s}:")
        for line in difflib.unified_diff(cut(before[s]), cut(after[s]), lineterm="", n=0):
            if not line.startswith(("---", "+++", "@@")):
                print("   ", line)
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
