"""What the scripts say of planted results: a broken claim is broken, a run that died is a failure."""

import json
import pathlib
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


if __name__ == "__main__":
    unittest.main()
