"""What the scripts say of planted results: a broken claim is broken, a run that died is a failure, a package that is
missing is named."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def run(script, *arguments):
    command = [sys.executable, "-B", str(HERE / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Claims(unittest.TestCase):
    def claims(self, *lines):
        with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
            file.write("| claim | command | passes if |\n|---|---|---|\n" + "\n".join(lines) + "\n")
            file.flush()
            return run("claims.py", file.name)

    def test_claims_that_hold(self):
        result = self.claims(
            "| a | `true` | exit 0 |",
            "| b | `exit 3` | exit 3 |",
            "| c | `echo one \\| tr o O` | output matches /^O\\w+$/ |",
            "| d | `echo one` | output lacks /two\\|three/ |",
        )
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertTrue(result.stdout.endswith("4 claims hold, 0 are broken\n"))

    def test_each_planted_lie_is_found(self):
        for row, said in (
            ("| a | `false` | exit 0 |", "exit 1 instead of 0"),
            ("| a | `echo one` | output matches /two/ |", "doesn't match /two/"),
            ("| a | `echo two` | output lacks /two/ |", "the output has 'two'"),
            ("| a | `echo two; false` | output matches /two/ |", "exit 1"),
            ("| a | `no-such-command` | exit 0 |", "exit 127"),
            ("| a | true | exit 0 |", "can't read the row"),
            ("| a | `true` |", "can't read the row"),
            ("| a | `true` | it works |", "can't read the condition"),
        ):
            with self.subTest(row=row):
                result = self.claims("| fine | `true` | exit 0 |", row)
                self.assertEqual(result.returncode, 1)
                self.assertIn(said, result.stdout)
                self.assertIn("1 claims hold, 1 are broken", result.stdout)

    def test_no_claims_at_all_is_a_failure(self):
        self.assertEqual(self.claims().returncode, 1)


class Summary(unittest.TestCase):
    def summary(self, *runs):
        """Each run is (status, results or None for no log)."""
        with tempfile.TemporaryDirectory() as directory:
            arguments = []
            for index, (status, results) in enumerate(runs):
                path = pathlib.Path(directory, f"{index}.json")
                if results is not None:
                    path.write_text("".join(json.dumps({"name": "t", "result": r}) + "\n" for r in results))
                arguments.append(f"run{index}={status}={path}")
            result = run("summary.py", *arguments)
            return result.returncode, result.stdout.splitlines()[-1]

    def test_results_are_summed(self):
        self.assertEqual(self.summary((0, ["OK", "EXPECTEDFAIL"]), (0, ["OK"])), (0, "3 passed, 0 failed"))
        self.assertEqual(self.summary((0, ["OK", "SKIP"])), (0, "1 passed, 0 failed, 1 skipped"))
        failures = ["FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"]
        self.assertEqual(self.summary((5, ["OK", *failures]), (0, ["OK"])), (1, "2 passed, 5 failed"))

    def test_a_run_that_died_is_a_failure(self):
        for runs in ([(1, None)], [(0, None)], [(0, [])]):
            self.assertEqual(self.summary(*runs), (1, "0 passed, 1 failed"))
        self.assertEqual(self.summary((1, ["OK"])), (1, "1 passed, 1 failed"))

    def test_it_says_why_a_test_failed(self):
        test = {"name": "t", "result": "FAIL", "stdout": "ok 1 - a\nnot ok 2 - b is 3\n", "stderr": "x.c:7: 3 is not 4\n"}
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "log.json")
            path.write_text(json.dumps(test) + "\n" + json.dumps({**test, "result": "OK"}) + "\n")
            lines = run("summary.py", f"run=1={path}").stdout.splitlines()
        self.assertEqual(
            lines,
            [
                "run: 1 passed, 1 failed, 0 skipped",
                "  fail: t",
                "    | not ok 2 - b is 3",
                "    | x.c:7: 3 is not 4",
                "1 passed, 1 failed",
            ],
        )


class Packages(unittest.TestCase):
    """./dev on a machine that has a few commands, with what dpkg says planted."""

    installed = """
        gcc libc6-dev meson ninja-build pkg-config libsmartcols-dev libjansson-dev libcmocka-dev libuv1-dev scdoc
    """.split()

    def build(self, installed):
        """Run `./dev build` as a user without sudo; the log has the calls that reached a package manager or Meson."""
        with tempfile.TemporaryDirectory() as directory:
            log = pathlib.Path(directory, "log")
            for name in ("bash", "dirname", "sed", "tr", "cat", "grep"):
                pathlib.Path(directory, name).symlink_to(shutil.which(name))
            for name, script in {
                "dpkg-query": "\n".join(f"echo installed {package}" for package in installed),
                "id": "echo 1000",
                "meson": f'echo meson "$@" >>{log}',
                "apt-get": f'echo apt-get "$@" >>{log}',
            }.items():
                path = pathlib.Path(directory, name)
                path.write_text(f"#!{directory}/bash\n{script}\n", encoding="utf-8")
                path.chmod(0o755)
            result = subprocess.run(
                [f"{directory}/bash", str(HERE.parent / "dev"), "build"],
                env={"PATH": directory},
                capture_output=True,
                text=True,
                check=False,
            )
            return result, log.read_text(encoding="utf-8") if log.exists() else ""

    def test_nothing_missing_is_no_apt_call(self):
        result, log = self.build(self.installed)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("meson compile", log)
        self.assertNotIn("apt-get", log)

    def test_without_root_the_exact_command_is_told(self):
        missing = {"libjansson-dev", "scdoc"}
        result, log = self.build([package for package in self.installed if package not in missing])
        self.assertEqual((result.returncode, log), (1, ""))
        self.assertIn("apt-get install --yes --no-install-recommends libjansson-dev scdoc\n", result.stderr)

    def test_a_command_that_dpkg_does_not_know_counts(self):
        result, _ = self.build([package for package in self.installed if package != "meson"])
        self.assertEqual(result.returncode, 0, result.stderr)


class WithoutTests(unittest.TestCase):
    """What `./dev run` leaves in build/: `meson test` there names what is missing, and who adds it."""

    def test_meson_test_says_what_to_do(self):
        meson = shutil.which("meson")
        if not meson:
            self.skipTest("meson isn't in PATH")
        with tempfile.TemporaryDirectory() as directory:
            setup = [meson, "setup", directory, str(HERE.parent), "-Dtests=false", "-Dbench=false", "-Dcommand=false"]
            done = subprocess.run(setup, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            told = subprocess.run([meson, "introspect", "--tests", directory], capture_output=True, text=True, check=True)
            self.assertEqual([test["name"] for test in json.loads(told.stdout)],
                             ["none, as it was built without tests; ./dev test adds them"])


if __name__ == "__main__":
    unittest.main()
