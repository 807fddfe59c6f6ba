"""Run the command beside each claim of a table in Markdown, and check what it says. usage: claims.py FILE

A row is | claim | `command` | passes if |, the last being `exit N`, `output matches /REGEX/` or `output lacks /REGEX/`.
Exits 1 if a claim doesn't hold, a row can't be read, or there is none.
"""

import re
import subprocess
import sys

SECONDS = 600


def rows(text):
    """(line number, [claim, command, condition]) of each table row below its |---| line."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            inside = False
        elif re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", line):
            inside = True
        elif inside:
            cells = re.split(r"(?<!\\)\|", line.strip())[1:-1]
            yield number, [cell.strip().replace("\\|", "|") for cell in cells]


def judge(condition, status, output):
    """Why a claim doesn't hold, or None."""
    exit_status = re.fullmatch(r"exit (\d+)", condition)
    if exit_status:
        wanted = int(exit_status[1])
        return None if status == wanted else f"exit {status} instead of {wanted}"
    match = re.fullmatch(r"output (matches|lacks) /(.*)/", condition)
    if not match:
        return f"can't read the condition: {condition}"
    if status != 0:
        return f"exit {status}"
    found = re.search(match[2], output, flags=re.MULTILINE)
    if match[1] == "matches":
        return None if found else f"the output doesn't match /{match[2]}/"
    return f"the output has {found[0]!r}" if found else None


def check(cells):
    """Why a row doesn't hold, or None; and the command's output."""
    if len(cells) != 3 or not re.fullmatch(r"`.+`", cells[1]):
        return "can't read the row: | claim | `command` | passes if |", ""
    try:
        result = subprocess.run(
            ["bash", "-c", cells[1][1:-1]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {SECONDS} s", ""
    return judge(cells[2], result.returncode, result.stdout), result.stdout


def main(path):
    held = broken = 0
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for number, cells in rows(text):
        wrong, output = check(cells)
        if wrong:
            broken += 1
            print(f"BROKEN  {path}:{number}: {cells[0] if cells else ''}\n        {wrong}")
            for line in output.splitlines()[-20:]:
                print(f"        | {line}")
        else:
            held += 1
            print(f"holds   {cells[0]}", flush=True)
    print(f"{held} claims hold, {broken} are broken")
    return 0 if held and not broken else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
