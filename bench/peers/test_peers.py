# SPDX-License-Identifier: Apache-2.0
"""The benchmark beside other libraries, with those peers that need none, and with one that fails in each way.

NONET_BENCH_PEERS is its path, NONET_MUST_FAIL that of the module that fails."""

import json
import os
import re
import signal
import subprocess
import unittest

PEERS = os.environ["NONET_BENCH_PEERS"]
MUST_FAIL = os.environ["NONET_MUST_FAIL"]
PLACE = "/dev/shm"
# Nothing here takes so long unless it hangs.
PATIENCE = 60

# What the module does, and what is said of it.
FAULTS = (
    ("lose", r"^64 bytes: [ab] couldn't send a message to and fro: -EBADMSG$"),
    ("repeat", r"^64 bytes: [ab] couldn't send a message to and fro: -EBADMSG$"),
    ("tear", r"^64 bytes: [ab] couldn't send a message to and fro: -EBADMSG$"),
    ("refuse", r"^64 bytes: a couldn't open its end: -EACCES$"),
    ("die", r"^64 bytes: a was killed by SIGKILL$"),
    ("exit", r"^64 bytes: a ended with status 7$"),
    ("hang", r"^64 bytes: it wasn't done within 1 s$"),
)

WRONG = (
    (("frobnicate",), "frobnicate"),
    (("--size", "12"), "12"),
    (("--size", "2097152"), "2097152"),
    (("--cpus", "0"), "0"),
    (("--cpus", "0,0"), "two CPUs"),
    (("--runs", "0"), "0"),
    (("--patience", "soon"), "soon"),
)


def left(process):
    """What has a name of this run's."""
    return [name for name in os.listdir(PLACE) if f"nonet-peers-{process.pid}-" in name]


class Peers(unittest.TestCase):
    def setUp(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("it takes two CPUs")

    def start(self, *args, fault="none"):
        environment = {**os.environ, "NONET_PEERS_FAULT": fault}
        process = subprocess.Popen(
            [PEERS, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(lambda: (process.stdout.close(), process.stderr.close()))
        return process

    def run_it(self, *args, fault="none"):
        process = self.start(*args, fault=fault)
        output, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(left(process), [])
        return process.returncode, output, errors

    def measure(self, *args, fault="none"):
        status, output, errors = self.run_it("--quick", "--size", "64", "--json", *args, fault=fault)
        self.assertTrue(output, errors)
        return status, json.loads(output)

    def test_built_in_peers_are_measured_and_compared_with_the_limits(self):
        names = ["line", "ring", "nonet", "pipe"]
        status, found = self.measure(*names)
        self.assertEqual(status, 0, found)
        self.assertEqual([(peer["name"], peer["status"]) for peer in found["peers"]], [(n, "measured") for n in names])
        self.assertEqual(len(found["machine"]["pinned"]), 2)
        for name in names:
            rows = [row for row in found["results"] if row["peer"] == name]
            self.assertIn(len(rows), (1, 2), name)
            for row in rows:
                self.assertEqual(row["size"], 64)
                self.assertIn(row["cores"], ("near", "far"))
                self.assertGreater(row["line_ns"], 0)
                if row["p50_ns"] is not None:
                    self.assertGreaterEqual(row["p99_ns"], row["p50_ns"])
                if row["messages_per_s"] is not None:
                    self.assertAlmostEqual(row["gb_per_s"], row["messages_per_s"] * 64 / 1e9, delta=row["gb_per_s"] / 1e3)
            self.assertTrue(any(row["p50_ns"] for row in rows), name)
            self.assertTrue(any(row["messages_per_s"] for row in rows), name)
        for row in found["results"]:
            if row["peer"] == "line" and row["p50_ns"]:
                self.assertEqual(row["latency_ratio"], 1)
            if row["peer"] == "ring" and row["messages_per_s"]:
                self.assertEqual(row["rate_ratio"], 1)

    def test_table_names_versions_and_what_cannot_be_had(self):
        status, output, errors = self.run_it("--quick", "--size", "8", "pipe")
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(output, r"(?m)^pipe +8 +(near|far) +\d+ ")
        self.assertRegex(output, r"(?m)^pipe, pipes: Linux \d")
        self.assertRegex(output, r"(?m)^aeron, iceoryx2, cpp-ipc: not in Debian; compare by ratio")

    def test_module_that_does_nothing_wrong_is_measured(self):
        status, found = self.measure("--module", MUST_FAIL)
        self.assertEqual(status, 0, found)
        self.assertEqual(found["peers"][0]["status"], "measured")

    def test_each_fault_of_a_peer_is_told(self):
        for fault, why in FAULTS:
            with self.subTest(fault=fault):
                patience = "1" if fault == "hang" else "60"
                status, found = self.measure("--patience", patience, "--module", MUST_FAIL, fault=fault)
                self.assertEqual(status, 1)
                self.assertEqual(found["peers"][0]["status"], "failed")
                self.assertRegex(found["peers"][0]["why"], why)
                self.assertEqual(found["results"], [])

    def test_peer_that_fails_is_in_nobodys_way(self):
        status, found = self.measure("--module", MUST_FAIL, "pipe", fault="die")
        self.assertEqual(status, 1)
        self.assertEqual([peer["status"] for peer in found["peers"]], ["failed", "measured"])

    def test_peer_that_is_not_here_is_skipped_with_its_package(self):
        listed = subprocess.run([PEERS, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        here = os.path.dirname(PEERS)
        packages = {name: package for name, package, _ in (line.split("\t") for line in listed) if package != "-"}
        self.assertEqual(len(packages), 9)
        for name, package in packages.items():
            if os.path.exists(os.path.join(here, f"peer-{name}.so")):
                continue
            status, found = self.measure(name)
            self.assertEqual((status, found["peers"][0]["status"], found["results"]), (0, "skipped", []))
            self.assertIn(package, found["peers"][0]["why"])

    def test_module_that_is_not_there_is_a_failure(self):
        status, found = self.measure("--module", "/nonexistent/peer.so")
        self.assertEqual((status, found["peers"][0]["why"]), (1, "there is no /nonexistent/peer.so"))

    def test_interrupt_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start("--size", "64", "--module", MUST_FAIL, fault="hang")
            while not left(process) and process.poll() is None:
                pass
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=PATIENCE), 130)
            self.assertEqual(left(process), [])

    def test_wrong_usage_is_status_2(self):
        for args, mentioned in WRONG:
            status, output, errors = self.run_it(*args)
            self.assertEqual((status, output), (2, ""), args)
            self.assertRegex(errors, re.escape(mentioned))


if __name__ == "__main__":
    unittest.main()
