# SPDX-License-Identifier: Apache-2.0
"""nonet tour."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import termios
import time

import cli

MECHANISMS = ["signals", "pipes", "message queues", "semaphores", "shared memory", "sockets", "file locks",
              "memory-mapped files", "UNIX sockets"]
# What each says of the death or the trick of its other side.
DEATH = {
    "message queues": r"peer killed: the message stayed",
    "semaphores": r"peer killed: permit back after [\d.]+ (us|ms)",
    "shared memory": r"peer truncates it: -EBADMSG, no SIGBUS",
    "file locks": r"holder killed: lock gained after [\d.]+ (us|ms)",
    "memory-mapped files": r"peer truncates it: -EBADMSG, no SIGBUS",
}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


class Tour(cli.Case):
    def test_json(self):
        start = time.monotonic()
        done = self.nonet("tour", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertLess(time.monotonic() - start, 15)
        rows = json.loads(done.stdout)
        self.assertEqual([row["mechanism"] for row in rows], MECHANISMS)
        for row in rows:
            with self.subTest(mechanism=row["mechanism"]):
                self.assertEqual(list(row), ["mechanism", "ok", "p50_ns", "p99_ns", "messages_per_s", "detail"])
                self.assertIs(row["ok"], True, row["detail"])
                self.assertGreater(row["p50_ns"], 100)
                self.assertGreaterEqual(row["p99_ns"], row["p50_ns"])
                self.assertGreater(row["messages_per_s"], 100)
                death = DEATH.get(row["mechanism"], r"peer killed: -EPIPE after [\d.]+ (us|ms)")
                self.assertRegex(row["detail"], death)
                self.assertRegex(row["detail"], r"deadline of 2.00 ms: -ETIMEDOUT after [\d.]+ ms")
        self.assertIn("sender and value", rows[0]["detail"])
        self.assertIn("an urgent message overtook", rows[2]["detail"])
        self.assertIn("chosen by its type", rows[2]["detail"])
        self.assertIn("durable on disk", rows[7]["detail"])
        self.assertIn("pipe's reader passed", rows[-1]["detail"])
        self.assertIn("packets", rows[-1]["detail"])
        self.assertIn("UDP datagram; the next, to nobody: -ECONNREFUSED", rows[5]["detail"])
        self.assertRegex(rows[5]["detail"], "a ping, and back in|no ping: a raw socket takes CAP_NET_RAW")

    def test_the_table_has_a_row_for_each(self):
        done = self.nonet("tour")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        text = done.stdout.decode()
        self.assertNotRegex(text, "(?m) $")
        for mechanism in MECHANISMS:
            self.assertTrue(re.search(rf"^{mechanism} ", text, re.MULTILINE), mechanism)
        self.assertRegex(text, r"(?m)^\+ mutual exclusion .* deadline of 2.00 ms: -ETIMEDOUT after [\d.]+ ms")
        self.assertRegex(text, r"holder killed: -EOWNERDEAD after [\d.]+ (us|ms)")
        self.assertEqual([name for name in os.listdir("/dev/shm") if name.startswith("nonet-tour-")], [])

    def test_a_wrong_story_is_not_believed(self):
        """A library whose pipes tell of their end what isn't so: the tour says it, and 1."""
        if "NONET_LIAR" not in os.environ:
            cli.skip_or_fail(self, "NONET_LIAR doesn't name the library that lies")
        lies = {"LD_PRELOAD": os.environ["NONET_LIAR"], "ASAN_OPTIONS": "verify_asan_link_order=0"}
        # A tour takes seconds by the clock, not of the processor: two at once take no longer than one.
        table = self.start("tour", environment=lies)
        done = self.nonet("tour", "--json", environment=lies)
        self.assertEqual((done.returncode, done.stderr), (1, b""))
        rows = {row["mechanism"]: row for row in json.loads(done.stdout)}
        self.assertIs(rows["pipes"]["ok"], False)
        self.assertIn("-EBADMSG", rows["pipes"]["detail"])
        self.assertIs(rows["UNIX sockets"]["ok"], True)
        self.assertEqual(self.finish(table)[0], 1)

    def start_on_a_terminal(self, columns):
        """The process, and what reads its terminal."""
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = self.start("tour", stdout=child, environment={"TERM": "xterm", "NO_COLOR": "1"})
        os.close(child)
        return process, parent

    def read_terminal(self, process, parent):
        text = b""
        try:
            while piece := os.read(parent, 4096):
                text += piece
        except OSError:  # EIO: the last holder of the other side has gone
            pass
        os.close(parent)
        self.assertEqual(process.wait(cli.PATIENCE), 0)
        return text.decode().split("\r\n")

    def test_the_table_fits_the_terminal(self):
        tours = [(columns, self.start_on_a_terminal(columns)) for columns in (80, 200)]
        for columns, started in tours:
            with self.subTest(columns=columns):
                lines = self.read_terminal(*started)
                self.assertLessEqual(max(map(len, lines)), columns)
                self.assertEqual("WHAT THE RULES SHOWED" in lines[0], columns == 200)
                # Folded between words, so that nothing is lost.
                self.assertIn("peer killed: -EPIPE after", " ".join(" ".join(lines).split()))

    def test_a_tour_that_is_killed_leaves_no_process(self):
        if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            cli.skip_or_fail(self, "the kernel has no CONFIG_PROC_CHILDREN")
        process = self.start("tour")
        found = []
        self.until(lambda: found.extend(children(process.pid)) or found, "the tour has a partner")
        pidfds = [os.pidfd_open(child) for child in found[:1]]
        process.send_signal(signal.SIGKILL)
        for pidfd in pidfds:
            self.until(lambda pidfd=pidfd: self.has_ended(pidfd), "the partner ends")
            os.close(pidfd)

    @staticmethod
    def has_ended(pidfd):
        try:
            signal.pidfd_send_signal(pidfd, 0)
        except ProcessLookupError:
            return True
        return False


if __name__ == "__main__":
    cli.main()
