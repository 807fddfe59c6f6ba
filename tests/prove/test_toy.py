"""The machine itself: the good toy passes, each mutant of it is caught, and what is no mutant is told from one.

usage: test_toy.py PROGRAM BUILD [--sanitized=KIND]
"""

import pathlib
import platform
import subprocess
import sys

import mutants

HERE = pathlib.Path(__file__).resolve().parent


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
