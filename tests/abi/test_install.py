"""`meson install` into an empty directory, then a program from outside that is built by pkg-config alone."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import library

ARGS = None
HERE = pathlib.Path(__file__).resolve().parent


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.directory.name, "root")
        prefix = cls.root / ARGS.prefix.lstrip("/")
        cls.libdir, cls.headers = prefix / ARGS.libdir, prefix / ARGS.includedir / "nonet"
        result = run(ARGS.meson, "install", "-C", ARGS.build, env={**os.environ, "DESTDIR": str(cls.root)})
        if result.returncode != 0:
            raise AssertionError(result.stdout + result.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def pkg_config(self, *options):
        environment = {
            **os.environ,
            "PKG_CONFIG_SYSROOT_DIR": str(self.root),
            "PKG_CONFIG_LIBDIR": str(self.libdir / "pkgconfig"),
        }
        environment.pop("PKG_CONFIG_PATH", None)
        result = run("pkg-config", *options, "nonet", env=environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.split()

    def build(self, compiler, before, flags):
        """Compile outside.c in an empty directory."""
        program = pathlib.Path(self.directory.name, f"outside-{self.id()}")
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        files = [str(HERE / "outside.c"), "-o", str(program)]
        result = run(*compiler, *warnings, *before, *files, *flags, cwd=self.directory.name)
        self.assertEqual(result.returncode, 0, result.stderr)
        return program

    def runs(self, program, **environment):
        result = run(str(program), env={**os.environ, **environment})
        self.assertEqual((result.returncode, result.stdout.strip()), (0, ARGS.version), result.stderr)

    def test_shared(self):
        program = self.build(ARGS.compiler.split(), ["-std=c11"], self.pkg_config("--cflags", "--libs"))
        self.assertIn("[libnonet.so.0]", library.tool("readelf", "--dynamic", str(program)))
        self.runs(program, LD_LIBRARY_PATH=str(self.libdir))

    def test_static(self):
        flags = self.pkg_config("--static", "--cflags", "--libs")
        program = self.build(ARGS.compiler.split(), ["-std=c11", "-static"], flags)
        self.assertNotIn("NEEDED", library.tool("readelf", "--dynamic", str(program)))
        self.runs(program)

    def test_from_cxx(self):
        compiler = shutil.which("c++") or shutil.which("g++")
        if not compiler and os.environ.get("NONET_TEST_NO_SKIP") != "1":
            self.skipTest("there is no C++ compiler")
        flags = ["-x", "none", *self.pkg_config("--cflags", "--libs")]
        program = self.build([compiler, "-x", "c++"], ["-std=c++17"], flags)
        self.runs(program, LD_LIBRARY_PATH=str(self.libdir))

    def test_version_agrees(self):
        self.assertEqual(self.pkg_config("--modversion"), [ARGS.version])
        version = (self.headers / "version.h").read_text(encoding="utf-8")
        numbers = re.findall(r"#define NONET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", version)
        self.assertEqual(".".join(numbers), ARGS.version)

    def test_what_is_installed(self):
        public = sorted(path.name for path in (HERE.parents[1] / "include" / "nonet").glob("*.h"))
        self.assertEqual(sorted(path.name for path in self.headers.iterdir()), public)
        names = {path.name for path in self.libdir.iterdir()}
        wanted = {"libnonet.a", "libnonet.so", "libnonet.so.0", f"libnonet.so.{ARGS.version}", "pkgconfig"}
        self.assertEqual(names, wanted)

    def test_the_libraries_have_no_fault(self):
        self.assertEqual(list(library.shared_faults(str(self.libdir / "libnonet.so"), "libnonet.so.0")), [])
        self.assertEqual(list(library.code_faults(str(self.libdir / "libnonet.a"))), [])

    def test_no_file_names_the_build_directory(self):
        for path in self.root.rglob("*"):
            if path.suffix in (".h", ".pc"):
                self.assertNotIn(ARGS.build, path.read_text(encoding="utf-8"), path)
        for path in self.libdir.glob("*.so.*"):
            self.assertNotRegex(library.tool("readelf", "--dynamic", str(path)), r"\(R(UN)?PATH\)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("meson", "build", "prefix", "libdir", "includedir", "compiler", "version"):
        parser.add_argument(f"--{option}", required=True)
    ARGS = parser.parse_args()
    unittest.main(argv=sys.argv[:1])
