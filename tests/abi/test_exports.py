"""The built library is what library.py says, and library.py finds each planted fault."""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import unittest

import library

ARGS = None
SONAME = "libnonet.so.0"
SOURCE = "int nonet_version(void) { return 0; }\n"
FLAGS = [f"-Wl,-soname,{SONAME}", "-Wl,-z,nodelete", "-Wl,-z,now"]


def faults(source, flags):
    with tempfile.TemporaryDirectory() as directory:
        path = str(pathlib.Path(directory, "libplanted.so"))
        command = [*ARGS.compiler.split(), "-shared", "-fPIC", "-x", "c", "-", "-o", path, *flags]
        subprocess.run(command, input=source, text=True, check=True)
        return list(library.shared_faults(path, SONAME))


class Exports(unittest.TestCase):
    def test_the_built_library_has_no_fault(self):
        self.assertEqual(list(library.shared_faults(ARGS.library, SONAME)), [])

    def test_a_library_made_right_has_no_fault(self):
        self.assertEqual(faults(SOURCE, FLAGS), [])

    def test_each_planted_fault_is_found(self):
        for said, source, flags in (
            ("the soname isn't libnonet.so.0", SOURCE, FLAGS[1:]),
            ("no nodelete flag", SOURCE, [FLAGS[0], FLAGS[2]]),
            ("no now flag", SOURCE, FLAGS[:2] + ["-Wl,-z,lazy"]),
            ("it needs libm.so", SOURCE, [*FLAGS, "-Wl,--no-as-needed", "-lm"]),
            ("it exports helper", SOURCE + "int helper(void) { return 0; }\n", FLAGS),
            ("the fault point sys_fault", SOURCE + '__attribute__((visibility("hidden"))) int sys_fault;\n', FLAGS),
        ):
            with self.subTest(said=said):
                self.assertIn(said, "; ".join(faults(source, flags)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--compiler", required=True)
    ARGS = parser.parse_args()
    unittest.main(argv=sys.argv[:1])
