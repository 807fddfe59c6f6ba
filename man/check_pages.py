#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold the man pages of section 3 and 7 against the public headers.

Every public function is in the NAME of exactly one page, with its prototype in SYNOPSIS as in the header. ERRORS is the
header's list: no code that the header has is missing, and none is there that neither the function's comment has nor
that of a function to which the comment refers. Structs are as in the header. Each flag and value is in a page. What a page refers to exists. Each page is
built, has its sections in order, no literal line too long for 80 columns, and renders without a warning.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pages import library_pages

SECTIONS = [
    "NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUE", "ERRORS", "CONTEXT", "EXAMPLE", "NOTES", "SEE ALSO",
]  # fmt: skip
OPTIONAL = {"EXAMPLE", "NOTES"}
LITERAL_WIDTH = 69  # 80 columns less the page's indent, the block's, and one
CODE = re.compile(r'(?<!")-(E[A-Z0-9]{2,})\b')  # a quoted one is an example of a text


def squeeze(text):
    """Only what a compiler sees, each token apart."""
    text = re.sub(r"/\*.*?\*/|\bNONET_PUBLIC\b|\bNONET_MUST_CHECK\b", " ", text, flags=re.DOTALL)
    return " ".join(re.findall(r"\w+|[^\w\s]", text))


class Function:
    def __init__(self, name, header, prototype, comment):
        self.name, self.header, self.prototype = name, header, squeeze(prototype)
        returned = comment.partition("Return:")[2]
        self.codes = set(CODE.findall(returned))
        self.refers = set(re.findall(r"\b(nonet_\w+)\(\)", returned))


class Headers:
    def __init__(self, folder):
        self.functions, self.text, code = {}, "", ""
        for path in sorted(Path(folder, "nonet").glob("*.h")):
            text = path.read_text(encoding="utf-8")
            self.text += text
            if path.name != "macro.h":  # how declarations are spelled, which means nothing to a program
                code += re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
            # A doc comment belongs to the declaration right after it.
            pattern = r"(/\*\*(?:(?!\*/).)*\*/\n)?NONET_PUBLIC ([^;{]*?\b(nonet_\w+)\([^;]*\);)"
            for comment, prototype, name in re.findall(pattern, text, re.DOTALL):
                self.functions[name] = Function(name, path.name, prototype, comment)
        self.squeezed = squeeze(self.text)
        self.constants = set(re.findall(r"\bNONET_\w+", self.text))
        # Flags and the values of an enum; but not what an address begins with, for which it has the scheme itself.
        self.values = set(re.findall(r"^#define (NONET_\w+)[ \t]+\S", code, re.MULTILINE))
        self.values |= set(re.findall(r"^\t(NONET_(?!SCHEME_)\w+)(?:,| =| *$)", code, re.MULTILINE))

    def allowed_codes(self, name):
        """The codes of a function and of all that its comment refers to, to any depth."""
        seen, todo, codes = set(), [name], set()
        while todo:
            function = self.functions.get(todo.pop())
            if function and function.name not in seen:
                seen.add(function.name)
                codes |= function.codes
                todo += function.refers
        return codes


def check_names(headers, pages):
    where = {}
    for page in pages:
        if page.name not in page.names() and page.number == "3":
            yield f"{page.path.name}: NAME doesn't have {page.name}"
        for name in page.names():
            where.setdefault(name, []).append(page.path.name)
            if page.number == "3" and name not in headers.functions:
                yield f"{page.path.name}: NAME has {name}, which no header declares"
    for name in headers.functions:
        found = where.get(name, [])
        if len(found) != 1:
            yield f"{name}: must be in the NAME of one page, is in {len(found)} {found or ''}"


def check_synopsis(headers, page):
    blocks = page.blocks("SYNOPSIS")
    synopsis = " ".join(map(squeeze, blocks))
    for name in page.names():
        function = headers.functions.get(name)
        if not function:
            continue
        if function.prototype not in synopsis:
            yield f"{page.path.name}: SYNOPSIS doesn't have {name}() as in the header"
        if not any(f"#include <nonet/{function.header}>" in block for block in blocks):
            yield f"{page.path.name}: SYNOPSIS doesn't include <nonet/{function.header}>"
    declared = set(re.findall(r"\bnonet_\w+(?= \()", synopsis))
    for name in sorted(declared - set(page.names())):
        yield f"{page.path.name}: SYNOPSIS has {name}(), NAME doesn't"
    if "pkg-config --cflags --libs nonet" not in page.sections.get("SYNOPSIS", ""):
        yield f"{page.path.name}: SYNOPSIS doesn't say how to link"


def check_values(headers, pages):
    named = set()
    for page in pages:
        for heading in page.sections:
            named |= set(re.findall(r"\bNONET_\w+", page.prose(heading)))
    for name in sorted(headers.values - named):
        yield f"{name}: no page says what it means"


def check_errors(headers, page):
    listed = set(CODE.findall(page.prose("ERRORS")))
    own, allowed = set(), set()
    for name in page.names():
        if name in headers.functions:
            own |= headers.functions[name].codes
            allowed |= headers.allowed_codes(name)
    for code in sorted(own - listed):
        yield f"{page.path.name}: ERRORS doesn't have -{code}, the header does"
    for code in sorted(listed - allowed):
        yield f"{page.path.name}: ERRORS has -{code}, the header doesn't"


def check_structs(headers, page):
    for block in page.blocks("DESCRIPTION"):
        if re.match(r"(struct|enum|typedef)\b", block) and squeeze(block) not in headers.squeezed:
            yield f"{page.path.name}: {block.splitlines()[0]} isn't as in the header"


def check_references(headers, page, names):
    for heading, body in page.sections.items():
        prose = page.prose(heading)
        for name, number in re.findall(r"\*(nonet\w*)\*\((\d)\)", prose):
            if number in "37" and names.get(name) != number:
                yield f"{page.path.name}, {heading}: refers to {name}({number}), which isn't there"
        for name in re.findall(r"\b(nonet_\w+)\*\(\)", prose):
            if name not in headers.functions:
                yield f"{page.path.name}, {heading}: names {name}(), which isn't there"
        for name in set(re.findall(r"\bNONET_[A-Z][A-Z0-9_]*[A-Z0-9]", prose)) - headers.constants - {"NONET_DOMAIN"}:
            yield f"{page.path.name}, {heading}: names {name}, which isn't there"
        for block in page.blocks(heading):
            for line in block.splitlines():
                if len(line) > LITERAL_WIDTH:
                    yield f"{page.path.name}, {heading}: {len(line)} columns: {line}"
                if "\t" in line:
                    yield f"{page.path.name}, {heading}: a tab in a literal block: {line}"


def check_sections(page):
    got = list(page.sections)
    for heading in SECTIONS:
        if heading not in got and heading not in OPTIONAL:
            yield f"{page.path.name}: no section {heading}"
    if got != [heading for heading in SECTIONS if heading in got]:
        yield f"{page.path.name}: sections are {got}"


def check_rendering(page):
    made = subprocess.run(["scdoc"], input=page.path.read_bytes(), capture_output=True)
    if made.returncode != 0:
        yield f"{page.path.name}: scdoc: {made.stderr.decode().strip()}"
        return
    with tempfile.NamedTemporaryFile(suffix=f".{page.number}") as file:
        file.write(made.stdout)
        file.flush()
        shown = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file.name], capture_output=True
        )
    if shown.returncode != 0 or shown.stderr:
        yield f"{page.path.name}: man: {shown.stderr.decode().strip() or shown.returncode}"


def check_build(folder, pages):
    text = Path(folder, "meson.build").read_text(encoding="utf-8") if pages else ""
    for page in pages:
        if f"'{page.name}.{page.number}'" not in text:
            yield f"{page.path.name}: isn't in meson.build"


def check(include, folder, render):
    headers, pages = Headers(include), library_pages(folder)
    names = {name: page.number for page in pages for name in page.names()}
    failures = [*check_names(headers, pages), *check_values(headers, pages), *check_build(folder, pages)]
    if not headers.functions:
        failures.append(f"{include}: no public function found")
    for page in pages:
        if page.number == "3":
            failures += check_sections(page)
            failures += check_synopsis(headers, page)
            failures += check_errors(headers, page)
        failures += check_structs(headers, page)
        failures += check_references(headers, page, names)
        if render:
            failures += check_rendering(page)
    return len(pages), len(headers.functions), failures


# What to do to one page, and a word of the complaint that must follow.
PLANTED = [
    ("nonet_pipe_send.3.scd", "nonet_pipe_send, nonet_pipe_receive,", "nonet_pipe_send,", "receive: must be"),
    ("nonet_pipe_read.3.scd", "NAME\n\nnonet_pipe_read,", "NAME\n\nnonet_pipe_read, nonet_pipe_send,", "is in 2"),
    ("nonet_wait.3.scd", "NAME\n\nnonet_wait ", "NAME\n\nnonet_wait, nonet_sleep ", "which no header declares"),
    ("nonet_wait.3.scd", "size_t max,", "int max,", "as in the header"),
    ("nonet_wait.3.scd", "<nonet/wait.h>\n\nint", "<nonet/time.h>\n\nint", "doesn't include"),
    ("nonet_pipe_send.3.scd", "*-EPIPE*", "*-EIO*", "doesn't have -EPIPE"),
    ("nonet_pipe_send.3.scd", "*-EPIPE*", "*-EPIPE*, *-EIO*", "ERRORS has -EIO"),
    ("nonet_pipe_new.3.scd", "    uint64_t capacity;\n", "    uint32_t capacity;\n", "isn't as in the header"),
    ("nonet_pipe_send.3.scd", "*nonet_pipe_fd*(3)", "*nonet_pipe_gone*(3)", "which isn't there"),
    ("nonet_pipe_send.3.scd", "*nonet_pipe_send*() puts", "*nonet_pipe_put*() puts", "which isn't there"),
    ("nonet_pipe_send.3.scd", "*NONET_PIPE_ATOMIC*", "*NONET_PIPE_SMALL*", "which isn't there"),
    ("nonet_pipe_send.3.scd", "    free(buffer);", "    free(buffer); " + "/" * 80, "columns"),
    ("nonet_pipe_send.3.scd", "# CONTEXT", "# THREADS", "no section CONTEXT"),
    ("nonet_memory_changed.3.scd", "*NONET_MEMORY_SHRANK*", "", "SHRANK: no page says"),
    ("meson.build", "  'nonet_wait.3',\n", "", "isn't in meson.build"),
]


def sanity(include, folder):
    """The check itself: it must find every planted fault, each alone in a copy of the pages."""
    wrong = []
    for name, old, new, word in PLANTED:
        with tempfile.TemporaryDirectory() as copy:
            for file in [*Path(folder).glob("*.scd"), Path(folder, "meson.build")]:
                shutil.copy(file, copy)
            path = Path(copy, name)
            text = path.read_text(encoding="utf-8")
            if old not in text:
                wrong.append(f"{name} doesn't have {old!r} any more: plant another fault")
                continue
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
            if not any(word in failure for failure in check(include, copy, False)[2]):
                wrong.append(f"not found: {name}: {old!r} -> {new!r}")
    with tempfile.TemporaryDirectory() as empty:
        if not check(empty, empty, False)[2]:
            wrong.append("not found: no pages and no headers at all")
    return wrong


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sanity", action="store_true", help="check the check with planted faults")
    parser.add_argument("--include", default=str(here.parent / "include"), help="folder of the headers")
    parser.add_argument("--pages", default=str(here), help="folder of the pages")
    options = parser.parse_args()
    if options.sanity:
        failures = sanity(options.include, options.pages)
        summary = f"{len(PLANTED) + 1} planted faults"
    else:
        render = bool(shutil.which("scdoc") and shutil.which("man"))
        if not render:
            print("not rendered: scdoc or man isn't installed")
        pages, functions, failures = check(options.include, options.pages, render)
        summary = f"{pages} pages, {functions} functions"
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{summary}, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
