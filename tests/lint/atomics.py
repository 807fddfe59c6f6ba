"""C11 atomics with explicit orders; what is ordered names its pair in a tag such as [QUEUE-SLEEP]; no volatile.

A test's own atomics may have the default order, seq_cst: nobody reasons about its speed, and a tag would point nowhere.
That an _Atomic object isn't used bare (as in x++) a reader of text can't see: reviewers do.
"""

import collections
import re

import lint

PLAIN = re.compile(
    r"(?<!\w)(atomic_(?:load|store|exchange|compare_exchange_strong|compare_exchange_weak|fetch_\w+?"
    r"|flag_test_and_set|flag_clear))\s*\("
)
BUILTIN = re.compile(r"\b__(?:sync|atomic)_\w+")
VOLATILE = re.compile(r"(?<!asm )(?<!__asm__ )\b(?:__)?volatile(?:__)?\b(?! sig_atomic_t)")
ORDERED = re.compile(r"\bmemory_order_(?:acquire|release|acq_rel|seq_cst|consume)\b")
TAG = re.compile(r"\[([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+)\]")
# A tag that stands nowhere else explains itself only with a sentence after it.
EXPLANATION = 40


def statement(text, position):
    """First and last line of the statement around a position."""
    start = max(text.rfind(mark, 0, position) for mark in ";{}") + 1
    start += len(text[start:]) - len(text[start:].lstrip())
    end = text.find(";", position)
    return lint.line_of(text, min(start, position)), lint.line_of(text, end if end >= 0 else position)


def check_file(path, text, test, used, seen):
    code, comments = lint.code(text), lint.comments(text)
    lines = comments.splitlines()
    for match in () if test else PLAIN.finditer(code):
        if not match[1].endswith("_explicit"):
            why = f"{match[1]}() hides its memory order: use {match[1]}_explicit()"
            yield lint.Finding(path, lint.line_of(code, match.start()), why)
    for match in BUILTIN.finditer(code):
        yield lint.Finding(path, lint.line_of(code, match.start()), f"{match[0]}: atomics are C11's")
    for match in VOLATILE.finditer(code):
        why = "volatile orders nothing: only volatile sig_atomic_t and asm volatile"
        yield lint.Finding(path, lint.line_of(code, match.start()), why)
    for match in TAG.finditer(comments):
        explained = re.split(r"\*/|\[[A-Z]", comments[match.end() :], maxsplit=1)[0]
        seen[match[1]].append(len(" ".join(re.sub(r"\n\s*\*", " ", explained).split())) >= EXPLANATION)
    done = set()
    for match in ORDERED.finditer(code):
        first, last = statement(code, match.start())
        if (first, last) in done:
            continue
        done.add((first, last))
        tags = TAG.findall("\n".join(lines[max(first - 2, 0) : last]))
        if not tags and not test:
            yield lint.Finding(path, last, f"{match[0]} without a [TAG] that names its pair, here or on the line above")
        for tag in tags:
            used.setdefault(tag, (path, last))


def check(root, _):
    used, seen = {}, collections.defaultdict(list)
    for path in lint.files(root, "*.c", "*.h"):
        test = lint.is_test(path) or path.is_relative_to(root / "tests")
        yield from check_file(path, lint.read(path), test, used, seen)
    for tag, (path, line) in used.items():
        if len(seen[tag]) < 2 and not any(seen[tag]):
            yield lint.Finding(path, line, f"[{tag}] is named once and explained nowhere")


if __name__ == "__main__":
    lint.main(check)
