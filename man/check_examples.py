#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compile every example of the man pages.

Each literal block under EXAMPLE is a whole C file: it brings its includes, and compiles without a warning.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from pages import library_pages

FLAGS = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-c", "-x", "c", "-", "-o"]


def compile_text(compiler, include, text, target):
    """What the compiler says against it; empty if nothing."""
    run = subprocess.run([*compiler, f"-I{include}", *FLAGS, target], input=text, text=True, capture_output=True)
    return "" if run.returncode == 0 else run.stderr or f"exit status {run.returncode}"


def check(compiler, include, folder, target):
    count, failures = 0, []
    for page in library_pages(folder):
        for number, block in enumerate(page.blocks("EXAMPLE"), 1):
            count += 1
            complaint = compile_text(compiler, include, block, target)
            if complaint:
                failures.append(f"{page.path.name}, example {number}:\n{complaint}")
    if count == 0:
        failures.append(f"{folder}: no example found")
    return count, failures


# Statements with one fault each, that the check is there to find.
BROKEN = {
    "a call that isn't there": "nonet_pipe_vanish(0);",
    "a wrong argument": "nonet_pipe_close(7, 8);",
    "a result not looked at": "nonet_pipe_send(0, 0, 0, NONET_NOW);",
    "a constant that isn't there": "nonet_time when = NONET_SOON; (void)when;",
    "a variable not used": "int left_over = 1;",
}


def sanity(compiler, include):
    """The check itself: it must find every planted fault, and pass what is right."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "nonet_planted.3.scd")

        def failures(body):
            page.write_text(
                "nonet_planted(3)\n\n# NAME\n\nnonet_planted - planted\n\n# EXAMPLE\n\n```\n"
                "#include <nonet/pipe.h>\n\nvoid f(void);\n\nvoid f(void)\n{\n    " + body + "\n}\n```\n",
                encoding="utf-8",
            )
            return check(compiler, include, folder, os.devnull)[1]

        wrong = [what for what, body in BROKEN.items() if not failures(body)]
        if failures("nonet_pipe_close(0);"):
            wrong.append("a right example is refused")
        page.unlink()
        if not check(compiler, include, folder, os.devnull)[1]:
            wrong.append("no pages at all")
    return len(BROKEN) + 2, [f"not found: {what}" for what in wrong]


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sanity", action="store_true", help="check the check with planted faults")
    parser.add_argument("--include", default=str(here.parent / "include"), help="folder of the headers")
    parser.add_argument("--pages", default=str(here), help="folder of the pages")
    options = parser.parse_args()
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if options.sanity:
        count, failures = sanity(compiler, options.include)
    else:
        count, failures = check(compiler, options.include, options.pages, os.devnull)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{count} {'planted faults' if options.sanity else 'examples'}, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
