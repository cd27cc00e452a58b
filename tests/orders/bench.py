"""Times runs of the pipeline `orders`; bench.sh builds, makes the input, and calls it."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PIPELINE = "pipelines/orders"


class Run:
    """One finished program: wall and processor seconds, peak memory in MiB, what it printed."""

    def __init__(self, command):
        # files, not pipes: nothing reads while we wait for the usage that only wait4 tells
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            begun = time.monotonic()
            process = subprocess.Popen(command, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            self.wall = time.monotonic() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            self.out, errors = contents(out), contents(err)
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss / 1024
        if process.returncode != 0:
            sys.exit(f"`{' '.join(command)}` ended with {process.returncode}:\n{errors}{self.out}")


def contents(file):
    file.seek(0)
    return file.read()


def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def sluice(args):
    folder = emptied(os.path.join(args.work, "lake"))
    command = [args.sluice, "run", PIPELINE, "--input", args.input, "--data-dir", folder, "--threads", "1", "--json"]
    run = Run(command)
    run.account = json.loads(run.out.strip().splitlines()[-1])
    return run


def yardstick(args):
    folder = emptied(os.path.join(args.work, "yardstick"))
    os.makedirs(folder)
    return Run([args.yardstick, args.input, folder])


def check(account, expected):
    """The run's account against the oracle's."""
    expected = json.load(open(expected, encoding="utf-8"))
    found = {key: account[key] for key in ("read", "silver", "quarantined", "reasons")}
    found["gold"] = account["gold"]["orders_per_minute"]
    wrong = [f"  {key}: {found[key]}, expected {expected[key]}" for key in found if found[key] != expected[key]]
    if wrong:
        sys.exit("the run did not make what it should:\n" + "\n".join(wrong))


def middle(runs):
    """The run of the median wall time (of two in the middle, the faster)."""
    return sorted(runs, key=lambda run: run.wall)[(len(runs) - 1) // 2]


def spread(runs):
    walls = [run.wall for run in runs]
    return f"{statistics.median(walls):.3f} s (of {len(walls)}: {min(walls):.3f} to {max(walls):.3f})"


def report(runs, size):
    run = middle(runs)
    rows = run.account["read"]
    print(f"\nsluice      {spread(runs)}; processor {run.cpu:.3f} s; peak {run.peak:.0f} MiB")
    print(f"            {rows / run.wall:,.0f} records/s, {size / run.wall / 1e6:,.1f} MB/s, "
          f"{run.wall / rows * 1e9:,.0f} ns a record")
    print("\nwhere the time goes   seconds   ns a record")
    for part, seconds in run.account["split"].items():
        print(f"  {part:18} {seconds:9.3f} {seconds / rows * 1e9:13.0f}")


def main():
    args = argparse.ArgumentParser()
    for name in ("--sluice", "--input", "--expected", "--work"):
        args.add_argument(name, required=True)
    args.add_argument("--yardstick")
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--core", type=int, default=0)
    args = args.parse_args()
    os.sched_setaffinity(0, {args.core})
    size = os.path.getsize(args.input)
    print(f"{args.input}: {size / 1e6:.1f} MB; core {args.core}; {args.rounds} rounds")

    # builds rules and fills caches; not timed
    check(sluice(args).account, args.expected)
    print("the run made what expected.py says")
    runs, others = [], []
    for _ in range(args.rounds):
        runs.append(sluice(args))
        if args.yardstick:
            others.append(yardstick(args))
    report(runs, size)
    if others:
        print(f"\nyardstick   {spread(others)}; processor {middle(others).cpu:.3f} s")
        ratio = statistics.median(run.wall for run in runs) / statistics.median(run.wall for run in others)
        print(f"            sluice takes {ratio:.2f} times as long")
    print("\nthe rules alone", flush=True)
    subprocess.run(["cargo", "bench", "-q", "-p", "sluice", "--bench", "rules", "--", args.input], check=True)


if __name__ == "__main__":
    main()
