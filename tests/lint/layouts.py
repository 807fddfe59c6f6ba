"""A shared layout (x_layout.h) has fixed-width fields only, and asserts its size."""

import re

import lint

STRUCT = re.compile(r"\b(?:struct|union)\s+(\w+)\s*\{([^{}]*)\}")
FOREIGN = re.compile(
    r"\b(bool|_Bool|enum|long|int|unsigned|short|char|size_t|ssize_t|pid_t|time_t|off_t|intptr_t|uintptr_t"
    r"|nonet_time|pthread_\w+|sem_t|PATH_MAX|NAME_MAX)\b|\*"
)


def check(root, _):
    for path in lint.files(root, "*_layout.h"):
        text = lint.code(lint.read(path))
        for match in STRUCT.finditer(text):
            for word in FOREIGN.finditer(match[2]):
                what = "a pointer" if word[0] == "*" else word[0]
                line = lint.line_of(text, match.start(2) + word.start())
                why = f"{what} in the shared struct {match[1]}: its size or meaning isn't the same everywhere"
                yield lint.Finding(path, line, why)
            if not re.search(rf"_assert\s*\(\s*sizeof\s*\(\s*(?:struct|union)\s+{match[1]}\s*\)", text):
                line = lint.line_of(text, match.start())
                yield lint.Finding(path, line, f"the size of struct {match[1]} isn't asserted")


if __name__ == "__main__":
    lint.main(check)
