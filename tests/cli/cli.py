# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share. NONET is the path of the command; nothing sleeps to wait for something."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

NONET = os.environ["NONET"]

# Nothing here takes so long unless it hangs.
PATIENCE = 20

# What the tested commands get as their own bound: they must not outlive a test that failed.
BOUND = "15s"

CARRIERS = ("fifo", "unix", "unix-seqpacket", "unix-dgram", "abstract")


def skip_or_fail(test, reason):
    """A tool is missing: the test is skipped, unless the caller wants all of them to run."""
    if os.environ.get("NONET_TEST_NO_SKIP") == "1":
        test.fail(reason)
    test.skipTest(reason)


def lines_of(text):
    return text.decode().splitlines()


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nonet-cli-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name="x"):
        return os.path.join(self.dir, name)

    def address(self, carrier, name="x"):
        if carrier == "abstract":
            return f"unix:@{os.path.basename(self.dir)}-{name}"
        return f"{carrier}:{self.path(name)}"

    def nonet(self, *arguments, stdin=b"", environment=None, **options):
        """Runs the command to its end."""
        if "stdin_file" in options:
            options["stdin"] = options.pop("stdin_file")
        else:
            options["input"] = stdin
        return subprocess.run([NONET, *arguments], stdout=options.pop("stdout", subprocess.PIPE),
                              stderr=subprocess.PIPE, timeout=PATIENCE, env=self.environment(environment), **options)

    def start(self, *arguments, command=NONET, environment=None, **options):
        """Starts the command; it is killed at the end of the test if it still runs."""
        process = subprocess.Popen([command, *arguments], stdin=options.pop("stdin", subprocess.PIPE),
                                   stdout=options.pop("stdout", subprocess.PIPE),
                                   stderr=options.pop("stderr", subprocess.PIPE),
                                   env=self.environment(environment), **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def environment(changes):
        environment = dict(os.environ)
        environment.pop("NO_COLOR", None)
        environment.update(changes or {})
        return environment

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def finish(self, process, stdin=None):
        """Waits for a process. Returns its exit status, standard output and standard error."""
        out, err = process.communicate(stdin, PATIENCE)
        return process.returncode, out, err

    def until(self, condition, what):
        """Looks until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"{what}: not within {PATIENCE} s")
            select.select([], [], [], 0.002)

    def until_socket(self, path):
        """Waits until a datagram socket has the path, or somebody listens there: the path comes before that."""
        self.until(lambda: is_served(path), f"{path} is served")

    def read_until(self, stream, wanted):
        """Reads a pipe until what came contains @wanted. Returns what came."""
        got = b""
        deadline = time.monotonic() + PATIENCE
        while wanted not in got:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([stream], [], [], max(left, 0))
            if not ready:
                self.fail(f"{wanted!r} didn't come, only {got[-200:]!r}")
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                self.fail(f"{wanted!r} didn't come before the end, only {got[-200:]!r}")
            got += piece
        return got

    def one_line(self, err):
        """@err is one line that begins as the command's lines do. Returns it."""
        found = lines_of(err)
        self.assertEqual(len(found), 1, err)
        self.assertTrue(found[0].startswith("nonet"), err)
        return found[0]

    def transfer(self, carrier, data, send=(), recv=(), count=None, name="x"):
        """Sends @data over a carrier from one command to another. Returns what the receiver printed."""
        address = self.address(carrier, name)
        recv = list(recv)
        if count is not None:
            recv += ["--count", str(count)]
        with tempfile.TemporaryFile() as output:  # not a pipe, which would have to be read while the sender runs
            receiver = self.start("recv", "--listen", "--timeout", BOUND, *recv, address, stdout=output)
            sent = self.nonet("send", "--timeout", BOUND, *send, address, stdin=data)
            self.assertEqual((sent.returncode, sent.stderr), (0, b""))
            status, _, err = self.finish(receiver)
            self.assertEqual((status, err), (0, b""))
            output.seek(0)
            return output.read()


def is_served(path):
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split(maxsplit=7)
            if len(words) == 8 and words[7].rstrip("\n") == path:
                flags, kind = int(words[3], 16), int(words[4], 16)
                if kind == socket.SOCK_DGRAM or flags & 0x10000:  # SO_ACCEPTCON: listen(2) was called
                    return True
    return False


def json_lines(out):
    return [json.loads(line) for line in out.decode().splitlines()]


def status_of_signal(number):
    """What subprocess reports for a process that died by this signal."""
    return -int(number)


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unittest.main(verbosity=2)
