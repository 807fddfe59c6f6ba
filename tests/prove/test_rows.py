"""prove.py's rows that are programs of their own: what they tell is added up, and what goes wrong is told. And the full
sweeps: what was through before they were ended is kept.

usage: test_rows.py
"""

import argparse
import contextlib
import os
import pathlib
import sys
import tempfile
import tomllib

import full
import prove

# Instead of Meson: tells what the names of its tests are; "fail" fails, "hang" ends only when it is interrupted.
MESON = """#!/usr/bin/env python3
import os, signal, sys
names = sys.argv[sys.argv.index("--print-errorlogs") + 1:]
with open(os.environ["NONET_PROVE_JSON"], "a") as told:
    for name in names:
        if name.startswith("{"):
            told.write(name + "\\n")
if "hang" in names:
    try:
        signal.pause()
    except KeyboardInterrupt:
        sys.exit(130)
sys.exit("fail" in names)
"""

# Instead of the sweeps: two operations, "lock" in rows 1 and 3, "open" in row 1; says in a file what it played.
SWEEPS = """#!/usr/bin/env python3
import os, sys
if sys.argv[1:] == ["--list"]:
    sys.exit(print("lock: toy_lock() free\\nopen: toy_open() one\\nrow 1: killed\\nrow 3: two"))
row, made, operation = sys.argv[3], sys.argv[5], sys.argv[6]
name = operation + "/" + row
if os.environ.get("BROKEN") == name:
    sys.exit(3)
open(os.environ["PLAYED"], "a").write(name + " ")
played = name != "open/3"
open(made, "w").write('[{"operation": "%s", "row": %s, "points": 5, "failures": 0}]' % (operation, row) if played else "[]")
sys.exit(0 if played else 3)
"""


ROOT = pathlib.Path(__file__).resolve().parents[2]


def rows():
    with open(ROOT / "tests/prove/rows.toml", "rb") as file:
        return tomllib.load(file)["row"]


def line(operation, row, points=1, failures=0, **more):
    pairs = {"operation": operation, "row": row, "points": points, "failures": failures, **more}
    return "{" + ", ".join(f'"{key}": {value!r}'.replace("'", '"') for key, value in pairs.items()) + "}"


def entry(rows, tests, more=""):
    names = ", ".join(f"'{name}'" for name in tests)
    return f"[[row]]\nrows = {rows}\ntests = [{names}]\n{more}\n"


def check_full(directory, say):
    program, library, played = directory / "sweeps", directory / "library", directory / "played"
    program.write_text(SWEEPS, encoding="utf-8")
    program.chmod(0o755)
    library.write_text("one", encoding="utf-8")
    os.environ["PLAYED"] = str(played)

    def run(resume=True, broken="", rows=None):
        os.environ["BROKEN"] = broken
        played.write_text("", encoding="utf-8")
        with contextlib.redirect_stdout(sys.stderr):
            sweeps = full.Full(program, library, directory / "kept.json", resume)
            return sweeps.run([], rows), played.read_text(encoding="utf-8").split(), sweeps.broken

    results, names, broken = run(broken="lock/3")
    say(len(results) == 2 and len(broken) == 1 and "status 3" in broken[0], "a full sweep that breaks is told")
    say(names == ["lock/1", "open/1", "open/3"], "and the others are played")
    results, names, broken = run()
    say(names == ["lock/3"] and not broken, "resumed, they play what is left")
    say([entry["points"] for entry in results] == [5, 5, 5], "and their table has all of it")
    say(run(rows={3})[1] == [], "nothing is played twice")
    say(len(run(resume=False)[1]) == 4, "but where that isn't asked for")
    library.write_text("another", encoding="utf-8")
    say(len(run()[1]) == 4, "or the library is another")


def main():
    lines, bad = [], 0

    def say(good, what):
        nonlocal bad
        bad += not good
        lines.append(good)
        print(f"{'ok' if good else 'not ok'} {len(lines)} - {what}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "meson").write_text(MESON, encoding="utf-8")
        (directory / "meson").chmod(0o755)
        os.environ["PATH"] = f"{directory}:{os.environ['PATH']}"

        def run(text, row=None):
            listed = directory / "rows.toml"
            listed.write_text(text, encoding="utf-8")
            tried = prove.Prove(argparse.Namespace(build=name, row=row, rows=str(listed), operations=[]))
            with contextlib.redirect_stdout(sys.stderr):
                tried.others()
            return tried

        tried = run(entry([5, 6], [line("lock", 5, 3), line("lock", 5, 4), line("lock", 6)]))
        say(not tried.bad and len(tried.results) == 2, "what a test tells is in the table, once for each row")
        say(tried.results[0]["points"] == 7, "what is told twice is added up")
        tried = run(entry([5, 6], [line("lock", 5), line("lock", 6)]), row="6")
        say([told["row"] for told in tried.results] == [6] and not tried.bad, "only rows that are wanted are taken")
        say(not run(entry([5], ["fail"]), row="6").bad, "what has no such row isn't run")
        tried = run(entry([13], [line("lock", 13, 0, untried="not root")]))
        say(not tried.results and not tried.bad and len(tried.untried) == 1, "what can't be tried here is told")

        tried = run("[[row]]\nrows = [19]\ncommand = ['echo', '" + line("model", 19, 9) + "']\n")
        say(not tried.bad and tried.results[0]["points"] == 9, "a command tells by its output")

        for what, text, wanted in (
            ("a test that fails", entry([5], [line("lock", 5), "fail"]), "status 1"),
            ("a failure that is told", entry([5], [line("lock", 5, 3, 1)]), "'failures': 1"),
            ("a mutant that isn't caught", entry([5], [line("lock", 5, mutants=2, mutants_caught=1)]), "'mutants': 2"),
            ("a row of which nothing is said", entry([5, 6], [line("lock", 5)]), "says nothing of row 6"),
            ("half a line", entry([5], ["{"]), "JSONDecodeError"),
            ("a line without its row", entry([5], ['{"operation": "lock"}']), "KeyError"),
            ("one that hangs", entry([5], [line("lock", 5), "hang"], "seconds = 1"), "isn't through after 1 s"),
            ("a program that isn't there", "[[row]]\nrows = [5]\ncommand = ['/nowhere']\n", "FileNotFoundError"),
            ("a command that fails", "[[row]]\nrows = [5]\ncommand = ['false']\n", "status 1"),
        ):
            told = run(text).bad
            say(any(wanted in sentence for sentence in told), f"{what} breaks the proof")
        check_full(directory, say)
    models = {path.name for path in ROOT.glob("proofs/*.pml")} - {"kernel.pml"}  # which the others include
    listed = {pathlib.Path(row["command"][-1]).name for row in rows() if "command" in row}
    say(models <= listed, f"each model is played in row 19: {sorted(models - listed)} aren't")
    print(f"1..{len(lines)}")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
