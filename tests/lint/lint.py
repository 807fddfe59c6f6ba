"""What the lints share: which files there are, C without its comments, and how a finding is told.

A lint is a file with check(root, args) that yields findings; it is run by main(). Exit status as Meson wants it: 0
clean, 1 something was found, 77 skipped. Under NONET_TEST_NO_SKIP a skip is a failure, since CI has everything.
"""

import argparse
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Skip(Exception):
    """The reason why a lint can't run here."""


class Finding:
    def __init__(self, path, line, message, warning=False):
        self.path, self.line, self.message, self.warning = path, line, message, warning

    def text(self, root):
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        place = f"{path}:{self.line}" if self.line else f"{path}"
        return f"{place}: {'warning: ' if self.warning else ''}{self.message}"


def files(root, *patterns, below=("",)):
    """The project's own files whose names match, sorted; build directories and hidden ones aren't the project's."""
    found = set()
    for top in below:
        for directory, names, leaves in os.walk(root / top):
            inside = pathlib.Path(directory)
            names[:] = [
                name
                for name in names
                if not name.startswith((".", "build")) and name not in ("__pycache__", "subprojects")
            ]
            found.update(inside / leaf for leaf in leaves if any((inside / leaf).match(p) for p in patterns))
    return sorted(found)


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


_C_TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def blank(text):
    """As many lines, no letters."""
    return re.sub(r"[^\n]", " ", text)


def code(text):
    """C with its comments and the insides of its strings blanked; every line and column stays where it was."""

    def replace(match):
        token = match.group()
        return blank(token) if token.startswith("/") else token[0] + blank(token[1:-1]) + token[-1]

    return _C_TOKENS.sub(replace, text)


def comments(text):
    """C with everything but its comments blanked."""
    kept = list(blank(text))
    for match in _C_TOKENS.finditer(text):
        if match.group().startswith("/"):
            kept[match.start() : match.end()] = match.group()
    return "".join(kept)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def includes(path):
    """(line, "quoted" or "angled", what) for each #include."""
    for number, line in enumerate(read(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, "quoted" if match[1] == '"' else "angled", match[2]


def is_test(path):
    return path.name.startswith("test_")


def main(check, *options):
    """options: names of what a lint wants to be told on the command line, as in --library."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    for option in options:
        parser.add_argument(f"--{option}", required=True)
    args = parser.parse_args()
    root = args.root.resolve()
    failed = False
    try:
        for finding in check(root, args):
            print(finding.text(root))
            failed = failed or not finding.warning
    except Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(1 if os.environ.get("NONET_TEST_NO_SKIP") == "1" else 77)
    sys.exit(1 if failed else 0)
