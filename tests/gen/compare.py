#!/usr/bin/env python3
"""Runs cases on the oracle and on weir, and tells where they differ.

compare.py [--keep FILE] [--modes 0,1,3] [--show N] CASES.jsonl...

SIDDHI_ORACLE is the command that reads case files (names end in .jsonl) and prints each case with `expect`.
WEIR is the program under test (build/weir unless set). What the oracle gives is brought into the form of the
case files: input streams left out, helper keys dropped, cases it could not finish put aside. --keep writes the
cases that pass in every mode, with their expectations.
"""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile


def fed_streams(app):
    """Ids that something other than a step can write to."""
    fed = set(re.findall(r"(?i)\binto\s+`?(\w+)", app))
    fed |= set(re.findall(r"(?i)\bdefine\s+trigger\s+`?(\w+)", app))
    for match in re.finditer(r"(?is)@source\b.*?define\s+stream\s+`?(\w+)", app):
        fed.add(match.group(1))
    return fed


def normal(case):
    """The case as a case file would have it, or None when the oracle's answer is of no use."""
    expect = case.get("expect")
    if not isinstance(expect, dict) or expect.get("timeout") or "harness_error" in case:
        return None
    case["failed"] = "logged_errors" in expect
    if expect.get("error"):
        case["expect"] = {"error": True}
        return case
    sent = {s["send"] for s in case["steps"] if "send" in s}
    fed = fed_streams(case["app"])
    kept = {k: expect[k] for k in ("error", "types", "streams", "queries", "results", "published") if k in expect}
    kept["types"] = {k: v for k, v in expect.get("types", {}).items() if not k.startswith("!")}
    if "queries" in kept:
        kept["queries"] = {
            name: [c for c in calls if c["in"] is not None or c["out"] is not None]
            for name, calls in kept["queries"].items()
        }
    kept["streams"] = {
        k: v
        for k, v in expect.get("streams", {}).items()
        if not k.startswith("!") and (k in fed or (k not in sent and v))
    }
    case["expect"] = kept
    return case


def run_oracle(path, hashes=None):
    command = shlex.split(os.environ["SIDDHI_ORACLE"]) + [path]
    variable = os.environ.get("SIDDHI_HASH_VARIABLE")
    env = {**os.environ, **({variable: hashes} if hashes and variable else {})}
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, env=env)


def oracle(path):
    out = run_oracle(path).stdout
    return [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]


def accidents(cases):
    """Names of the cases where what comes out is an accident: the oracle logs an exception, or answers otherwise with
    other identity hashes (0 to 3 in the variable that SIDDHI_HASH_VARIABLE names)."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as some:
        for case in cases:
            bare = {k: v for k, v in case.items() if k not in ("expect", "failed")}
            some.write(json.dumps(bare, ensure_ascii=False) + "\n")
        some.flush()
        answers = [run_oracle(some.name, h).stdout.splitlines() for h in "0123"] if cases else []
    names = {c["name"] for c, *lines in zip(cases, *answers) if len(set(lines)) > 1}
    return names | {c["name"] for c in cases if c["name"] not in names and fails_inside(c)}


def fails_inside(case):
    """Does the oracle log an exception during this case?"""
    if case.get("failed"):
        return True
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as alone:
        alone.write(json.dumps({k: v for k, v in case.items() if k != "expect"}, ensure_ascii=False) + "\n")
        alone.flush()
        log = run_oracle(alone.name).stderr.decode(errors="replace")
    return bool(re.search(r"(?m)^[\w.$]+(Exception|Error)\b|^\s+at io\.siddhi", log))


def weir(path, restart_every, show):
    command = [os.environ.get("WEIR", "build/weir"), "test", "--show", str(show)]
    command += ["--restart-every", str(restart_every)] if restart_every else []
    done = subprocess.run(command + [path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def failing(text):
    return set(re.findall(r"(?m)^(?:FAIL|SKIP|BAD)\S*\s+(\S+?):?(?:\s|$)", text))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep")
    parser.add_argument("--modes", default="0,1,3")
    parser.add_argument("--show", type=int, default=100000)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    good = []
    for path in args.files:
        answered = oracle(path)
        cases = [c for c in map(normal, answered) if c]
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as out:
            for case in cases:
                out.write(json.dumps(case, ensure_ascii=False) + "\n")
        bad, failed = set(), set()
        for mode in map(int, args.modes.split(",")):
            code, text = weir(out.name, mode, args.show)
            lines = text.strip().splitlines()
            last = lines[-1] if lines else ""
            print(f"{path} restart {mode}: {last} ({len(answered) - len(cases)} without an answer)")
            if code < 0 or not re.search(r"\d+ passed", last):
                print(f"  weir ended with {code}")
                bad |= {c["name"] for c in cases}
            names = failing(text)
            failed |= accidents([c for c in cases if c["name"] in names - bad])
            for line in lines[:-1]:
                name = line.split(" ")[1].rstrip(":") if line.startswith("FAIL ") else ""
                if name not in bad and name not in failed:
                    print(line)
            bad |= names
        refused = sum(c["expect"]["error"] for c in cases)
        print(f"{path}: {len(cases)} cases, {refused} refused apps, {len(bad - failed)} differ, "
              f"{len(bad & failed)} more by accident of the oracle")
        good += [c for c in cases if c["name"] not in bad]
        os.unlink(out.name)
    if args.keep:
        with open(args.keep, "w") as out:
            for case in good:
                del case["failed"]
                out.write(json.dumps(case, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
