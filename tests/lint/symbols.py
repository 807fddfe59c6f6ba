"""One set of public symbols: the prototypes in the headers, src/nonet.map, what the library exports, the man pages."""

import pathlib
import re
import subprocess

import lint


def declarations(path):
    """A header without comments, strings and preprocessor lines."""
    return re.sub(r"(?m)^\s*#.*(?:\\\n.*)*$", lambda match: lint.blank(match[0]), lint.code(lint.read(path)))


def in_headers(root):
    found = {}
    for path in lint.files(root, "*.h", below=["include/nonet"]):
        text = declarations(path)
        for match in re.finditer(r"\bNONET_PUBLIC\b[^;{}()]*?(\w+)\s*\(", text):
            found[match[1]] = f"{path.relative_to(root)}:{lint.line_of(text, match.start(1))}"
    return found


def in_map(root):
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", lint.read(root / "src" / "nonet.map"), flags=re.DOTALL)
    exported = set()
    for section in re.findall(r"global:(.*?)(?:local:|\})", text, flags=re.DOTALL):
        exported.update(re.findall(r"[\w*]+", section))
    return exported


def in_library(path):
    result = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True)
    symbols = (line.split() for line in result.stdout.splitlines())
    # An absolute symbol is the name of a version node.
    return {symbol[-1].split("@")[0] for symbol in symbols if symbol[-2] != "A"}


def in_man_pages(root):
    """Names before the dash in the NAME section."""
    found = set()
    for path in lint.files(root, "*.3.scd", below=["man"]):
        section = re.search(r"^# NAME\n(.*?)(?:^# |\Z)", lint.read(path), flags=re.DOTALL | re.MULTILINE)
        if section:
            names = re.split(r"\s-\s", section[1].replace("\\", ""), maxsplit=1)[0]
            found.update(re.findall(r"\bnonet_\w+", names))
    return found


def check(root, args):
    headers = in_headers(root)
    public = set(headers)
    library = pathlib.Path(args.library)
    yield from undeclared(root)
    for name in sorted(public):
        if not re.fullmatch(r"nonet_[a-z0-9_]+", name):
            yield lint.Finding(root / "include", 0, f"{name} ({headers[name]}): public names begin with nonet_")
    for place, names, has in (
        (root / "src" / "nonet.map", in_map(root), "names"),
        (library, in_library(library), "exports"),
        (root / "man", in_man_pages(root), "has a page for"),
    ):
        for name in sorted(public - names):
            yield lint.Finding(place, 0, f"lacks {name}, which is public in {headers[name]}")
        for name in sorted(names - public):
            # Pages may name what isn't a function.
            if place.name != "man" or name not in types(root):
                yield lint.Finding(place, 0, f"{has} {name}, which no public header declares with NONET_PUBLIC")


def undeclared(root):
    """Prototypes that forgot NONET_PUBLIC: they would be hidden, and no list would miss them."""
    for path in lint.files(root, "*.h", below=["include/nonet"]):
        text = declarations(path)
        for match in re.finditer(r"[^;{}]*?\b(nonet_\w+)\s*\([^;{}]*;", text):
            if not re.search(r"\b(NONET_PUBLIC|typedef|return)\b", match[0]):
                yield lint.Finding(path, lint.line_of(text, match.start(1)), f"{match[1]}() isn't NONET_PUBLIC")


def types(root):
    text = "".join(lint.code(lint.read(path)) for path in lint.files(root, "*.h", below=["include/nonet"]))
    return set(re.findall(r"\b(?:struct|enum|union)\s+(nonet_\w+)", text)) | set(
        re.findall(r"\btypedef\b[^;]*\b(nonet_\w+)\s*;", text)
    )


if __name__ == "__main__":
    lint.main(check, "library")
