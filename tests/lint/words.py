"""No dead code under #if 0, and no notes to self: what isn't done is an issue, not a comment."""

import re

import lint

# In two halves, so that this file passes its own check.
NOTE = re.compile(r"\b(?:" + "|".join(("TO" "DO", "FIX" "ME", "XX" "X")) + r")\b")
DEAD = re.compile(r"^\s*#\s*if\s+0\b")


def check(root, _):
    for path in lint.files(root, "*.c", "*.h", "*.py", "*.sh", "*.md", "*.scd", "meson.build", "dev"):
        for number, line in enumerate(lint.read(path).splitlines(), 1):
            note = NOTE.search(line)
            if note:
                yield lint.Finding(path, number, f"{note[0]}: do it, or open an issue")
            if path.suffix in (".c", ".h") and DEAD.match(line):
                yield lint.Finding(path, number, "#if 0: git remembers what was")


if __name__ == "__main__":
    lint.main(check)
