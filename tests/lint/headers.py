"""Each header compiles alone, twice in a row: public ones as pedantic C11 or C++17, internal ones as C11."""

import concurrent.futures
import shutil
import subprocess

import lint

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def compile_alone(command, include):
    # The declaration: pedantic C has no empty source file, and a header may hold only macros.
    source = f"#include {include}\n#include {include}\nextern int lint;\n"
    return subprocess.run(command, input=source, capture_output=True, text=True, check=False)


def check(root, args):
    compiler = args.compiler.split()
    if not shutil.which(compiler[0]):
        raise lint.Skip(f"there is no {compiler[0]}")
    standard = {"c": "c11", "c++": "c++17"}[args.language]
    base = [*compiler, "-x", args.language, f"-std={standard}", "-fsyntax-only", *WARNINGS, f"-I{root}/include"]
    jobs = []
    for path in lint.files(root, "*.h", below=["include/nonet"]):
        jobs.append((path, base + ["-"], f"<nonet/{path.name}>"))
    if args.language == "c":
        inside = [*base, "-D_GNU_SOURCE", f"-I{root}/src", f"-I{root}/tests", "-"]
        for path in lint.files(root, "*.h", below=["src"]):
            jobs.append((path, inside, f'"{path.relative_to(root / "src")}"'))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = pool.map(lambda job: compile_alone(job[1], job[2]), jobs)
        for (path, _, _), result in zip(jobs, results):
            if result.returncode != 0:
                yield lint.Finding(path, 0, f"doesn't compile alone as {standard}:\n{result.stderr.strip()}")


if __name__ == "__main__":
    lint.main(check, "language", "compiler")
