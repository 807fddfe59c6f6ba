"""Run a model by Spin, and each of its weakened variants, which must fall: `run.py MODEL.pml [--trail]`.

A model says in its opening comment what is run:
    holds -DLOCKS=2            a size in which nothing may be found
    falls asleep: -DFORGET_W   a variant, and the property that must fall; an assert() names its property in a comment
    soak holds..., soak falls...   the same, where NONET_SCALE is 1 or more
Exit status: 0 as it says, 1 not, 77 no spin here (1 under NONET_TEST_NO_SKIP). The last line is one object of JSON.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROW = 19  # of the table of ./dev prove: protocols
MEMORY = 900  # MiB that a search may take
DEPTH = 100000  # steps; a run that is cut off there counts as failed


def call(directory, *command):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


class Broken(Exception):
    """What isn't a finding but a search that didn't take place."""


def search(model, flags, expected, directory):
    """(states, None or the property that fell, the steps that lead there)"""
    for source in model.parent.glob("*.pml"):
        shutil.copy(source, directory)  # since Spin writes its trail beside the model
    made = call(directory, "spin", "-a", *flags, model.name)
    if not (directory / "pan.c").exists() or "Error" in made:
        raise Broken(made)
    compiler = [*os.environ.get("CC", "cc").split(), "-O0" if expected else "-O1", "-w"]
    made = call(directory, *compiler, "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY}", "-o", "pan", "pan.c")
    if not (directory / "pan").exists():
        raise Broken(made)
    # A variant may break several properties: ask for the one that is meant. -E leaves invalid end states out.
    told = call(directory, "./pan", f"-m{DEPTH}", "-w20", *(["-E"] if expected not in (None, "asleep") else []))
    errors = re.search(r"errors: (\d+)", told)
    states = re.search(r"(\d+) states, stored", told)
    if not errors or not states:
        raise Broken(told)
    if errors[1] == "0" and re.search(r"out of memory|max search depth|not completed", told):
        raise Broken(told)
    if errors[1] == "0":
        return int(states[1]), None, ""
    trail = call(directory, "spin", "-t", "-p", "-g", *flags, model.name)
    return int(states[1]), fallen(told, model.read_text()), trail


def bare(expression):
    return re.sub(r"[\s()]", "", expression)


def fallen(told, text):
    """The property's name, from the comment behind its assert(). Spin tells the expression (its line numbers are off
    inside an inline), with macros replaced: one that isn't in the text is that of the only property that uses any."""
    if re.search(r"pan:\d+: invalid end state", told):
        return "asleep"
    violated = re.search(r"assertion violated (.*) \(at depth", told)
    if not violated:
        return told.splitlines()[0]
    names = {bare(what): name for what, name in re.findall(r"assert\((.*)\); *.*/\* (\w+) \*/", text)}
    macros = {name for what, name in names.items() if re.search(r"[A-Z]{3}", what)}
    if bare(violated[1]) in names:
        return names[bare(violated[1])]
    return macros.pop() if len(macros) == 1 else violated[1]


def cases(text):
    """(property that falls or None, flags) for each that the opening comment names."""
    soaks = float(os.environ.get("NONET_SCALE") or 0) >= 1
    line = re.compile(r"^ \* (soak )?(?:holds(.*)|falls +(\w+): *(.*))$", re.MULTILINE)
    for soak, holds, name, falls in line.findall(text):
        if soaks or not soak:
            yield (name, falls.split()) if name else (None, holds.split())


def prove(model, trail):
    result = {"operation": model.stem, "row": ROW, "points": 0, "failures": 0, "mutants": 0, "mutants_caught": 0}
    for expected, flags in cases(model.read_text()):
        with tempfile.TemporaryDirectory() as name:
            try:
                states, fell, steps = search(model, flags, expected, pathlib.Path(name))
            except Broken as broken:
                states, fell, steps = 0, "no search: " + str(broken), ""
        right = fell == expected
        verdict = f"{fell} falls" if fell else "holds"
        wanted = "" if right else f", but {f'{expected} falls' if expected else 'it holds'} is what the model says"
        print(f"{model.stem} {' '.join(flags)}: {verdict}, {states} states{wanted}", flush=True)
        if trail and fell or fell and not expected:
            print(steps)
        if expected:
            result["mutants"] += 1
            result["mutants_caught"] += right
        else:
            result["points"] += states
            result["failures"] += not right
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--trail", action="store_true", help="print the steps that lead to each fall")
    args = parser.parse_args()
    if not shutil.which("spin"):
        print("skipped: spin isn't installed")
        sys.exit(1 if os.environ.get("NONET_TEST_NO_SKIP") == "1" else 77)
    result = prove(args.model.resolve(), args.trail)
    print(json.dumps(result))
    sys.exit(0 if result["points"] and not result["failures"] and result["mutants_caught"] == result["mutants"] else 1)


if __name__ == "__main__":
    main()
