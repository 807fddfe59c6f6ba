"""The machine itself: the good toy passes, each mutant of it is caught, and what is no mutant is told from one; and
who is killed by somebody else proves nothing.

usage: test_toy.py PROGRAM BUILD [--sanitized=KIND]
"""

import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile

import mutants

HERE = pathlib.Path(__file__).resolve().parent


def traced_of(prover):
    """A process that is traced by one of @prover's workers, by its number; None if there is none just now."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = pathlib.Path("/proc", name, "stat").read_text(encoding="utf-8")
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        parents[int(name)] = int(parent), state
    for pid, (parent, state) in parents.items():
        if state == "t" and parents.get(parent, (0, ""))[0] == prover:
            return pid
    return None


# One task, whose points are the same each time, with a thousand victims.
LONG = ["--row", "2", "--state", "free", "--sample", "2000", "--seed", "1", "toy-add"]


def disturb(program, times):
    """Sweep the toy, and once a few of its victims were seen kill them until it has said so @times. Returns its status,
    the points, and how often it said so."""
    told = 0
    seen = set()
    with tempfile.TemporaryFile("w+") as err, subprocess.Popen(
        [program, *LONG], stdout=subprocess.PIPE, stderr=err, text=True
    ) as prover:
        while told < times and prover.poll() is None:
            victim = traced_of(prover.pid)
            seen.add(victim)
            if victim and len(seen) > 4:
                try:
                    # Not by its number alone: that may be another's by now.
                    descriptor = os.pidfd_open(victim)
                    if traced_of(prover.pid) == victim:
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    os.close(descriptor)
                except ProcessLookupError:
                    continue
            told = os.pread(err.fileno(), 100_000, 0).count(b"somebody else killed")
        out = prover.communicate()[0]
        told = os.pread(err.fileno(), 100_000, 0).count(b"somebody else killed")
    points = re.search(r"^(\d+) points, 0 failures", out, re.MULTILINE)
    return prover.returncode, points and int(points[1]), told


def main(program, build, sanitized="--sanitized=none"):
    if platform.machine() != "x86_64" or sanitized != "--sanitized=none":
        print("1..0 # SKIP single steps are understood on x86-64 only, and not in a sanitizer's code")
        return 0
    lines, bad = [], 0

    def say(good, what):
        nonlocal bad
        bad += not good
        lines.append(good)
        print(f"{'ok' if good else 'not ok'} {len(lines)} - {what}", flush=True)

    def note(text):
        print("".join(f"# {line}\n" for line in text.splitlines()), end="", flush=True)

    result = subprocess.run([program, "--seconds", "3"], stdout=subprocess.PIPE, text=True, check=False)
    note(result.stdout)
    say(result.returncode == 0, "the good toy has no failure")

    toys = mutants.Mutants(HERE / "toy_mutants.toml", build)
    for mutant in toys.list:
        for row in mutant["rows"]:
            say(toys.hunt(mutant, row, program, note), f'{mutant["name"]} is caught by row {row}: {mutant["why"]}')

    status, undisturbed, told = disturb(program, 0)
    say(status == 0 and undisturbed and told == 0, "nobody is told of whom nobody killed")
    status, points, told = disturb(program, 1)
    note(f"{points} points of {undisturbed}, told {told} times")
    say(status == 0 and points == undisturbed and told >= 1, "what somebody else killed is played again, and counts once")
    status, _, told = disturb(program, 1000)
    say(status == 3 and told > 1, "who is killed again and again gives up")

    harmless = {
        "name": "harmless",
        "why": "nothing is wrong with it",
        "file": "tests/prove/toy.c",
        "find": "	free(toy);",
        "replace": "	(free)(toy);",
        "operations": ["toy-unlock"],
    }
    say(not toys.hunt(harmless, 1, program, lambda text: None), "a mutant that does no harm isn't caught")
    for what, find in ("a text that isn't there", "no such text"), ("a text that is there twice", "return -ECHILD;"):
        try:
            toys.make({**harmless, "find": find})
            say(False, f"{what} is refused")
        except mutants.Wrong:
            say(True, f"{what} is refused")
    result = subprocess.run(
        [program, "--library", "/dev/null"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
    )
    say(result.returncode == 3, "a library that isn't the one meant is refused")
    print(f"1..{len(lines)}")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
