"""Each lint must find what is planted for it, and let pass what is right. usage: test_lints.py [LINT...]"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
GUARD = "#ifndef H\n#define H\n%s\n#endif\n"


def lint(name, planted, options=(), env=None):
    """Run a lint over a tree with the planted files: its exit status and what it said."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in planted.items():
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        command = [sys.executable, str(HERE / f"{name}.py"), "--root", root, *options]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return result.returncode, result.stdout + result.stderr


class Case(unittest.TestCase):
    """Tables of {what is planted: what has to be said}, as (files, words)."""

    name = None
    options = ()
    bad = ()
    good = ()

    def test_planted_faults_are_found(self):
        for planted, said in self.bad:
            with self.subTest(said=said):
                status, output = lint(self.name, planted, self.options)
                self.assertEqual(status, 1, output)
                self.assertIn(said, output)

    def test_what_is_right_passes(self):
        for planted in self.good:
            status, output = lint(self.name, planted, self.options)
            self.assertEqual((status, output), (0, ""))


class Layers(Case):
    name = "layers"
    bad = (
        ({"src/base/a.c": '#include "sys/files.h"\n'}, "src/base/a.c:1: upwards"),
        ({"src/pipe/a.c": '\n#include "unix/unix.h"\n'}, "src/pipe/a.c:2: sideways"),
        ({"src/sys/a.c": '#include "waitable/waitable.h"\n'}, "sideways"),
        ({"src/pipe/a.c": '#include "a.h"\n'}, "has no folder"),
        ({"src/pipe/a.c": '#include "other/a.h"\n'}, "in no layer"),
        ({"src/other/a.c": ""}, "in no layer"),
        ({"src/pipe/a.c": '#include "endpoint/endpoint_layout.h"\n'}, "upwards"),
        ({"src/inspect/a.c": '#include "pipe/pipe.h"\n'}, "calls only base and sys"),
        ({"src/pipe/a.c": "#include <sys/b.h>\n", "src/sys/b.h": ""}, "the project's own"),
        ({"tools/nonet/a.c": '#include "base/time.h"\n', "src/base/time.h": ""}, "tools/ sees only"),
        ({"bench/a.c": '#include "../src/base/time.h"\n', "src/base/time.h": ""}, "bench/ sees only"),
        ({"examples/a.c": "#include <base/time.h>\n", "src/base/time.h": ""}, "examples/ sees only"),
        ({"include/nonet/a.h": '#include "b.h"\n'}, "as <nonet/...>"),
    )
    good = (
        {"src/pipe/a.c": '#include "pipe/a.h"\n#include "stream/b.h"\n#include "base/c.h"\n#include <nonet/wait.h>\n'},
        {"src/queue/a.c": '#include "memory/memory_layout.h"\n'},
        {"src/inspect/a.c": '#include "queue/queue_layout.h"\n#include "sys/files.h"\n'},
        {"src/pipe/test_a.c": '#include "harness/test.h"\n#include "pipe/a.h"\n'},
        {"tools/nonet/a.c": '#include "tool.h"\n#include <nonet/nonet.h>\n', "tools/nonet/tool.h": ""},
    )


class Calls(Case):
    name = "calls"
    bad = (
        ({"src/pipe/a.c": "\nint f(void) { return open(p, 0); }\n"}, "src/pipe/a.c:2: open() is a system call"),
        ({"src/base/a.c": "void f(void) { close (3); }\n"}, "close() is a system call"),
        ({"src/base/a.h": "static inline int f(int x) { return poll(0, 0, x); }\n"}, "poll() is a system call"),
        ({"src/pipe/a.c": "char *f(void) { return malloc(3); }\n"}, "memory comes from sys/memory.h"),
        ({"src/sys/a.c": 'void f(void) { printf("x"); }\n'}, "never prints"),
        ({"src/pipe/a.c": "int f(void) { return -errno; }\n"}, "errno is read only in src/sys"),
        ({"src/pipe/a.c": "#include <unistd.h>\n"}, "<unistd.h> is for system calls"),
        ({"src/pipe/a.c": "#include <linux/futex.h>\n"}, "<linux/futex.h> is for system calls"),
    )
    good = (
        {"src/sys/a.c": "#include <unistd.h>\nint f(void) { return close(3) < 0 ? -errno : 0; }\n"},
        {
            "src/pipe/a.c": "#include <errno.h>\n#include <fcntl.h>\n/* open() and errno */ int f(void) { return sys_open(p); }\n",
        },
        {"src/pipe/a.c": 'const char *s = "read(2) sets errno";\nint g(void) { return x->read(1) + y.close(); }\n'},
        {"src/pipe/test_a.c": "int f(void) { return open(p, 0) < 0 ? errno : 0; }\n"},
        {"src/base/a.c": "#include <stdlib.h>\nvoid f(void) { free(malloc(1)); }\n"},
    )


class Size(Case):
    name = "size"
    bad = (
        ({"src/a.c": "\n" * 1000}, "1000 lines: 1000 is refused"),
        ({"tests/b.py": "\n" * 2000}, "b.py: 2000 lines"),
        ({"examples/a.c": "\n" * 29}, "examples/a.c: 29 lines: an example has 30 to 60"),
        ({"examples/a.c": "\n" * 61}, "examples/a.c: 61 lines: an example has 30 to 60"),
    )
    good = (
        {"src/a.c": "\n" * 599, "src/b.c": "\n"},
        {"examples/a.c": "\n" * 30, "examples/b.c": "\n" * 60, "examples/README.md": "\n"},
    )

    def test_large_files_are_warned_of(self):
        status, output = lint(self.name, {"src/a.sh": "\n" * 600})
        self.assertEqual(status, 0)
        self.assertIn("src/a.sh: warning: 600 lines", output)


class Headers(Case):
    name = "headers"
    options = ("--language=c", "--compiler=cc")
    bad = (
        ({"include/nonet/a.h": GUARD % "size_t f(void);"}, "include/nonet/a.h: doesn't compile alone as c11"),
        ({"include/nonet/a.h": "struct s { int x; };"}, "doesn't compile alone"),
        ({"include/nonet/a.h": GUARD % "struct s { int n; int x[0]; };"}, "doesn't compile alone"),
        (
            {"src/pipe/a.h": GUARD % "struct nowhere f(struct s *s) { return *s; }"},
            "src/pipe/a.h: doesn't compile alone",
        ),
    )
    good = (
        {
            "include/nonet/a.h": GUARD % "#include <stddef.h>\nsize_t f(void);",
            "src/pipe/a.h": GUARD % "#include <nonet/a.h>",
        },
    )

    def test_public_headers_compile_as_cxx(self):
        if not shutil.which("c++") and os.environ.get("NONET_TEST_NO_SKIP") != "1":
            self.skipTest("there is no C++ compiler")
        options = ("--language=c++", "--compiler=c++")
        status, output = lint(self.name, {"include/nonet/a.h": GUARD % "int f(int class);"}, options)
        self.assertEqual(status, 1)
        self.assertIn("doesn't compile alone as c++17", output)

    def test_a_missing_compiler_is_a_skip_and_in_ci_a_failure(self):
        options = ("--language=c++", "--compiler=no-such-compiler")
        result = lint(self.name, {}, options, {"NONET_TEST_NO_SKIP": "0"})
        self.assertEqual(result, (77, "skipped: there is no no-such-compiler\n"))
        self.assertEqual(lint(self.name, {}, options, {"NONET_TEST_NO_SKIP": "1"})[0], 1)


class Symbols(unittest.TestCase):
    """These need a library: one with the given functions is built into each tree."""

    tree = {
        "include/nonet/a.h": "NONET_PUBLIC int nonet_a(void);\nNONET_PUBLIC struct nonet_x *\nnonet_b(struct nonet_x *x);\n",
        "src/nonet.map": "NONET_0 {\nglobal:\n\tnonet_a;\n\tnonet_b;\nlocal:\n\t*;\n};\n",
        "man/nonet_a.3.scd": "nonet_a(3)\n\n# NAME\n\nnonet_a, nonet_b - two of them\n\n# SYNOPSIS\n\nnonet_c\n",
    }

    def run_with(self, functions, **changes):
        with tempfile.TemporaryDirectory() as directory:
            library = f"{directory}/libx.so"
            source = "".join(f"int {name}(void) {{ return 0; }}\n" for name in functions)
            command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library]
            subprocess.run(command, input=source, text=True, check=True)
            tree = {path: changes.get(path.split("/")[0], text) for path, text in self.tree.items()}
            return lint("symbols", tree, (f"--library={library}",))

    def test_agreement_passes(self):
        self.assertEqual(self.run_with(["nonet_a", "nonet_b"]), (0, ""))

    def test_each_disagreement_is_found(self):
        both = ["nonet_a", "nonet_b"]
        for said, functions, changes in (
            ("libx.so: lacks nonet_b", ["nonet_a"], {}),
            ("libx.so: exports secret", [*both, "secret"], {}),
            ("src/nonet.map: lacks nonet_b", both, {"src": "NONET_0 { global: nonet_a; local: *; };"}),
            ("src/nonet.map: names nonet_c", both, {"src": "NONET_0 { global: nonet_a; nonet_b; nonet_c; local: *; };"}),
            ("man: lacks nonet_b", both, {"man": "# NAME\n\nnonet_a - alone\n\n# SEE ALSO\n\nnonet_b - no\n"}),
            ("man: has a page for nonet_c", both, {"man": "# NAME\n\nnonet_a, nonet_b, nonet_c - three\n"}),
            ("other (include", [*both, "other"], {"include": "NONET_PUBLIC int other(void);"}),
            ("nonet_b() isn't NONET_PUBLIC", both, {"include": "NONET_PUBLIC int nonet_a(void);\nint nonet_b(void);\n"}),
        ):
            with self.subTest(said=said):
                status, output = self.run_with(functions, **changes)
                self.assertEqual(status, 1, output)
                self.assertIn(said, output)


class Format(Case):
    name = "format"
    bad = (({"src/a.c": "int f( int x ){return x;}\n"}, "src/a.c:1: not as clang-format 14 has it"),)
    good = ({"src/a.c": "int f(int x)\n{\n\treturn x;\n}\n"},)

    def setUp(self):
        status, output = lint("format", {"a.c": ""}, env={"NONET_TEST_NO_SKIP": "0"})
        if status == 77 and os.environ.get("NONET_TEST_NO_SKIP") != "1":
            self.skipTest(output)


class Atomics(Case):
    name = "atomics"
    bad = (
        ({"src/a.c": "volatile int x;\n"}, "src/a.c:1: volatile orders nothing"),
        (
            {"src/a.c": "int f(void)\n{\n\treturn atomic_load(&x);\n}\n"},
            "src/a.c:3: atomic_load() hides its memory order",
        ),
        ({"src/a.c": "void f(void) { atomic_fetch_add(&x, 1); }\n"}, "atomic_fetch_add() hides"),
        ({"src/a/test_a.c": "volatile int x;\n"}, "volatile orders nothing"),
        ({"src/a.c": "void f(void) { __atomic_load_n(&x, 0); }\n"}, "atomics are C11's"),
        (
            {"src/a.c": "void f(void)\n{\n\tatomic_thread_fence(memory_order_seq_cst);\n}\n"},
            "src/a.c:3: memory_order_seq_cst without a [TAG]",
        ),
        (
            {"src/a.c": "void f(void)\n{\n\tg(); /* [X-Y] pair: far */\n\th();\n\tatomic_thread_fence(memory_order_acquire);\n}\n"},
            "without a [TAG]",
        ),
        (
            {"src/a.c": "void f(void)\n{\n\tatomic_thread_fence(memory_order_seq_cst); /* [X-Y] */\n}\n"},
            "[X-Y] is named once",
        ),
    )
    good = (
        {
            "src/a.c": 'static volatile sig_atomic_t x;\nvoid f(void) { asm volatile("" ::: "memory"); }\n/* volatile */\n',
        },
        {"src/a.c": "int f(void) { return atomic_load_explicit(&x, memory_order_relaxed); }\n"},
        {
            "src/a/test_a.c": "int f(void) { return atomic_load(&x); }\n",
            "tests/b.c": "int g(void) { return atomic_load(&x); }\n",
        },
        {
            "src/a.c": "void f(void)\n{\n\tg(1,\n\t  memory_order_acquire); /* [X-Y] pair: f() */\n\t/* [X-Y] */\n\tg(memory_order_release);\n}\n",
        },
        {
            "src/a.c": "/*\n * [X-Y]  What was written before the release is seen after the acquire.\n */\nvoid f(void)\n{\n\tg(memory_order_release); /* [X-Y] */\n}\n",
        },
    )


PROGRAM = "/* licence */\n/* What it does. */\nint main(void)\n{\n}\n"
SHOWN = "# a\n\n```c\nint main(void)\n{\n}\n```\n"


class Readme(Case):
    name = "readme"
    bad = (
        ({"examples/hello.c": PROGRAM, "README.md": SHOWN.replace("void", "int")}, "README.md: its first program"),
        ({"examples/hello.c": PROGRAM, "README.md": "# a\n"}, "README.md: its first program"),
        ({"examples/hello.c": PROGRAM, "README.md": SHOWN + "[b](docs/b.md)\n"}, "README.md:8: the link to docs/b.md"),
    )
    good = ({"examples/hello.c": PROGRAM, "README.md": SHOWN + "[b](examples/hello.c) [c](https://c)\n"},)


class Words(Case):
    name = "words"
    bad = (
        ({"src/a.c": "#if 0\n#endif\n"}, "src/a.c:1: #if 0"),
        ({"docs/a.md": "\n# " + "TO" "DO\n"}, "docs/a.md:2: "),
        ({"src/a.h": "/* " + "FIX" "ME */\n"}, "or open an issue"),
        ({"tests/a.sh": "# " + "XX" "X\n"}, "or open an issue"),
    )
    good = ({"src/a.c": 'char path[] = "/tmp/x.XXXXXX";\n#if 01\n#endif\n'}, {"build/a.c": "#if 0\n#endif\n"})


class Waits(Case):
    name = "waits"
    bad = (
        ({"tests/kill/a.c": "void f(void)\n{\n\tsleep(1);\n}\n"}, "tests/kill/a.c:3: sleep() in a test"),
        ({"src/pipe/test_a.c": "void f(void) { nanosleep(&t, NULL); }\n"}, "nanosleep() in a test"),
        ({"tests/a.c": 'void f(void) { system("ls"); }\n'}, "system() in a test"),
        ({"tests/a.c": "void f(void) { poll(NULL, 0, 100); }\n"}, "a poll of nothing is a sleep"),
        ({"tests/a.c": 'void f(void) { test_skip(""); }\n'}, "a skip without its reason"),
        ({"tests/a.c": "void f(void) { skip(); }\n"}, "a skip without its reason"),
        ({"tests/harness/test_a.c": "void f(void) { sleep(1); }\n"}, "sleep() in a test"),
        ({"tests/a.py": "import time\ntime.sleep(1)\n"}, "tests/a.py:2: a sleep"),
        ({"tests/a.py": "self.skipTest()\n"}, "a skip without its reason"),
        ({"tests/a.py": "import sys\nsys.exit(77)\n"}, "a skip without its reason"),
        ({"tests/a.sh": "while :; do sleep 0.1; done\n"}, "tests/a.sh:1: a sleep"),
        ({"tests/a.sh": "exit 77\n"}, "a skip without its reason"),
    )
    good = (
        {"tests/a.c": 'void f(void)\n{\n\ttest_skip("no /proc");\n\tpoll(&fd, 1, -1); /* no sleep() */\n}\n'},
        {"tests/a.py": 'print("skipped: no socat")\nsys.exit(77)\n'},
        {"tests/a.sh": 'sleep infinity &\nsleep 1000 &\necho "no socat"\nexit 77\n'},
        {"src/pipe/a.c": "void f(void) { sleep(1); }\n"},
        {"tests/harness/storm.c": "void f(void) { nanosleep(&t, NULL); skip(); }\n"},
    )


class Layouts(Case):
    name = "layouts"
    bad = (
        (
            {"src/queue/queue_layout.h": "struct q {\n\tchar *next;\n};\n"},
            "queue_layout.h:2: a pointer in the shared struct q",
        ),
        ({"src/queue/queue_layout.h": "struct q {\n\tuint8_t path[PATH_MAX];\n};\n"}, "PATH_MAX in the shared"),
        ({"src/queue/queue_layout.h": "struct q {\n\tlong x;\n};\n"}, "long in the shared"),
        ({"src/queue/queue_layout.h": "struct q {\n\tuint32_t x;\n};\n"}, "the size of struct q isn't asserted"),
    )
    good = (
        {
            "src/queue/queue_layout.h": "struct q {\n\t_Atomic uint64_t x; /* long */\n};\n_Static_assert(sizeof(struct q) == 8, \"\");\n",
        },
    )


class Shell(Case):
    name = "shell"
    bad = (({"scripts/a.sh": "#!/bin/bash\nrm $1\n"}, "scripts/a.sh:2: "),)
    good = ({"scripts/a.sh": '#!/bin/bash\nrm "$1"\n'},)

    def setUp(self):
        if not shutil.which("shellcheck") and os.environ.get("NONET_TEST_NO_SKIP") != "1":
            self.skipTest("there is no shellcheck")


if __name__ == "__main__":
    chosen = [name.capitalize() for name in sys.argv[1:]] or None
    result = unittest.main(argv=sys.argv[:1], defaultTest=chosen, exit=False).result
    for _, reason in result.skipped:
        print(f"skipped: {reason}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.skipped and len(result.skipped) == result.testsRun else 0)
