"""Tests wait for the thing they wait for, never for a while; they call no shell; a skip says why.

tests/harness is where waiting and skipping are made; its own tests are held to the rule."""

import re

import lint

C_CALL = re.compile(r"(?<![\w.>])(sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep|system|popen)\s*\(")
C_POLL = re.compile(r"(?<![\w.>])(?:poll|select|ppoll|pselect)\s*\(\s*(?:NULL|0)\s*,")
C_SKIP = re.compile(r"\b\w*skip\w*\s*\(\s*(?:\"\s*\")?\s*\)\s*;")
PYTHON = re.compile(r"\btime\.sleep\s*\(|\bos\.system\s*\(|\bshell\s*=\s*True\b|\bfrom time import\b.*\bsleep\b")
PYTHON_SKIP = re.compile(r"skip(?:Test)?\(\s*(?:\"\"|'')?\s*\)")
SHELL = re.compile(r"(?:^|[;&|({]|\bdo\b|\bthen\b)\s*(?:command\s+)?u?sleep\s+[0-9.\"$]")


def check_c(path, text):
    code = lint.code(text)
    for match in C_CALL.finditer(code):
        line = lint.line_of(code, match.start())
        yield lint.Finding(path, line, f"{match[1]}() in a test: wait for the thing itself")
    for match in C_POLL.finditer(code):
        line = lint.line_of(code, match.start())
        yield lint.Finding(path, line, "a poll of nothing is a sleep: wait for the thing itself")
    for match in C_SKIP.finditer(code):
        # The code has blanks for a string's inside, so ask the text whether there was one.
        if not re.search(r'"[^"]*\w[^"]*"', text[match.start() : match.end()]):
            yield lint.Finding(path, lint.line_of(code, match.start()), "a skip without its reason")


def check_script(path, text):
    python = path.suffix == ".py"
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        bare = line.split("#")[0]
        held = bare.rstrip().endswith("&")
        if PYTHON.search(bare) if python else SHELL.search(bare) and not held:
            yield lint.Finding(path, number, "a sleep or a shell in a test: wait for the thing itself")
        near = "".join(lines[max(number - 4, 0) : number])
        mute = re.search(r"\bexit[ (]77\b", bare) and not re.search("echo|print", near)
        if mute or python and PYTHON_SKIP.search(bare):
            yield lint.Finding(path, number, "a skip without its reason")


def check(root, _):
    paths = lint.files(root, "*.c", "*.h", "*.py", "*.sh", below=["tests"])
    paths += [path for path in lint.files(root, "*.c", below=["src"]) if lint.is_test(path)]
    for path in paths:
        inside = path.relative_to(root).parts[:2]
        if inside == ("tests", "lint") or inside == ("tests", "harness") and not lint.is_test(path):
            continue
        text = lint.read(path)
        yield from check_c(path, text) if path.suffix in (".c", ".h") else check_script(path, text)


if __name__ == "__main__":
    lint.main(check)
