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
import uuid

NONET = os.environ["NONET"]

# Nothing here takes so long unless it hangs.
PATIENCE = 20

# What the tested commands get as their own bound: they must not outlive a test that failed.
BOUND = "15s"

# In the environment of all that this run starts, and of what that starts: nothing of it may be left at a test's end.
MARK = "NONET_CLI_RUN", uuid.uuid4().hex
os.environ.update([MARK])

NOBODY = 65534

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
        self.addCleanup(self.all_have_ended)

    def all_have_ended(self):
        """What the test hasn't waited for, such as the guard of a killed nonet lock, ends by itself. Else it is ended."""
        try:
            self.until(lambda: not processes_left(), "all that was started has ended")
        finally:
            end_processes_left()

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
        return subprocess.run([options.pop("command", NONET), *arguments], stdout=options.pop("stdout", subprocess.PIPE),
                              stderr=subprocess.PIPE, timeout=PATIENCE, env=self.environment(environment), **options)

    def nonet_as(self, user, *arguments, **options):
        """As nonet(), by another user: a copy, as he may not get to where it was built (below /root, say)."""
        command = self.path("others/nonet")
        if not os.path.exists(command):
            os.makedirs(self.path("others/src"))
            shutil.copy(NONET, command)
            # Beside it as it was linked for the build: in the folder src.
            shutil.copy(os.path.join(os.path.dirname(NONET), "src", "libnonet.so.0"), self.path("others/src"))
            for name in ("", "others", "others/nonet", "others/src", "others/src/libnonet.so.0"):
                os.chmod(self.path(name), 0o755)
        try:
            return self.nonet(*arguments, command=command, user=user, group=user, extra_groups=(), **options)
        except PermissionError:
            skip_or_fail(self, f"another user can't run what is in {self.dir}")

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


def processes_left():
    """The processes that this run has started and that still run, whoever is their parent now."""
    mark = "=".join(MARK).encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            pass  # it has ended, or is another user's
    return found


def end_processes_left():
    for pid in processes_left():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


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
    # What a shell in the background, or nohup, has us ignore the tested commands would ignore as well.
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # Meson's at its timeout, too: an exception, so that nothing is left running.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        unittest.main(verbosity=2)
    finally:
        end_processes_left()
