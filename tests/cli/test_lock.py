# SPDX-License-Identifier: Apache-2.0
"""nonet lock and nonet post, on semaphores that a plain program has made."""

import ctypes
import os
import pty
import signal
import subprocess
import sys
import uuid

import cli

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.sem_open.restype = ctypes.c_void_p
for call in ("sem_close", "sem_getvalue"):
    getattr(LIBC, call).argtypes = [ctypes.c_void_p] + [ctypes.c_void_p] * (call == "sem_getvalue")

IPC_PRIVATE, IPC_RMID, GETVAL, SETVAL, GETNCNT = 0, 0, 12, 16, 14


# A command that handles signals, once it has said that it is ready.
HANDLES = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
print("ready", flush=True)
print("got", int(signal.sigwait([signal.SIGINT, signal.SIGTERM])), flush=True)
sys.exit(5)
"""


class Posix:
    """A POSIX semaphore."""

    name = "posixsem"

    def __init__(self, value):
        # Not "nonet", for which tests in C look that run beside us.
        self.path = "/cli-lock-" + uuid.uuid4().hex
        self.address = "posixsem:" + self.path
        self.semaphore = LIBC.sem_open(self.path.encode(), os.O_CREAT | os.O_EXCL, 0o600, value)
        assert self.semaphore

    def value(self):
        number = ctypes.c_int()
        LIBC.sem_getvalue(self.semaphore, ctypes.byref(number))
        return number.value

    def remove(self):
        LIBC.sem_close(self.semaphore)
        LIBC.sem_unlink(self.path.encode())


class SystemV:
    """A System V semaphore, the second of a set."""

    name = "sysvsem"

    def __init__(self, value):
        self.id = LIBC.semget(IPC_PRIVATE, 2, 0o600)
        assert self.id >= 0
        self.address = f"sysvsem:id={self.id}[1]"
        for index in range(2):
            LIBC.semctl(self.id, index, SETVAL, value if index else 0)

    def value(self):
        return LIBC.semctl(self.id, 1, GETVAL)

    def waiters(self):
        return LIBC.semctl(self.id, 1, GETNCNT)

    def remove(self):
        LIBC.semctl(self.id, 0, IPC_RMID)


class Case(cli.Case):
    def both(self, value):
        for kind in (Posix, SystemV):
            semaphore = kind(value)
            self.addCleanup(semaphore.remove)
            yield semaphore

    def holder(self, semaphore, script="echo ready; exec sleep 100", **options):
        """A command that runs under the semaphore, once it does."""
        process = self.start("lock", semaphore.address, "--timeout", cli.BOUND, "--", "sh", "-c", script, **options)
        self.read_until(process.stdout, b"ready\n")
        return process

    def comes_back(self, semaphore, value=1):
        self.until(lambda: semaphore.value() == value, "the permit comes back")


class Lock(Case):
    def test_the_command_holds_a_permit_and_its_end_gives_it_back(self):
        for semaphore in self.both(2):
            process = self.holder(semaphore, "echo ready; read line; echo $line; exit 7")
            self.assertEqual(semaphore.value(), 1)
            status, out, err = self.finish(process, b"hello\n")
            self.assertEqual((status, out, err, semaphore.value()), (7, b"hello\n", b"", 2))

    def test_only_as_many_as_there_are_permits_hold_it(self):
        for semaphore in self.both(1):
            process = self.holder(semaphore)
            for timeout in ("0", "50ms"):
                done = self.nonet("lock", "-t", timeout, semaphore.address, "echo", "in")
                self.assertEqual((done.returncode, done.stdout), (124, b""))
                sentence = self.one_line(done.stderr)
                # The last to change it is who took it.
                self.assertIn(f"process {process.pid}" if semaphore.name == "sysvsem" else "Nobody knows", sentence)
            process.kill()
            self.comes_back(semaphore)
            done = self.nonet("lock", "-t", cli.BOUND, semaphore.address, "echo", "in")
            self.assertEqual((done.returncode, done.stdout), (0, b"in\n"))

    def test_a_waiter_gets_it_when_it_is_given_back(self):
        for semaphore in self.both(1):
            process = self.holder(semaphore, "echo ready; read line")
            waiter = self.start("lock", "-t", cli.BOUND, semaphore.address, "echo", "in")
            self.finish(process, b"\n")
            self.assertEqual(self.finish(waiter), (0, b"in\n", b""))
            self.assertEqual(semaphore.value(), 1)

    def test_a_killed_nonet_leaves_nothing_taken_and_nobody_running(self):
        for semaphore in self.both(1):
            process = self.holder(semaphore, "echo $$; echo ready; exec sleep 100", stderr=subprocess.DEVNULL)
            process.kill()
            self.comes_back(semaphore)
            # The pipe's end: the command doesn't run on, either.
            self.assertEqual(process.stdout.read(), b"")
            self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGKILL))

    def test_signals_reach_the_command_and_its_death_is_ours(self):
        for semaphore in self.both(1):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                process = self.holder(semaphore, "ulimit -c 0; echo ready; exec sleep 100")
                process.send_signal(number)
                self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(number))
                self.comes_back(semaphore)

    def test_a_command_may_handle_a_signal(self):
        for semaphore in self.both(1):
            process = self.start("lock", semaphore.address, sys.executable, "-c", HANDLES)
            self.read_until(process.stdout, b"ready\n")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.finish(process), (5, b"got 15\n", b""))
            self.assertEqual(semaphore.value(), 1)

    def test_a_terminals_interrupt_reaches_the_command_and_nonet_stays(self):
        for semaphore in self.both(1):
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(cli.NONET, ["nonet", "lock", semaphore.address, "--", sys.executable, "-c", HANDLES])
            with open(terminal, "r+b", buffering=0) as stream:
                self.read_until(stream, b"ready")
                stream.write(b"\x03")
                self.read_until(stream, b"got 2")
                _, status = os.waitpid(pid, 0)
            self.assertEqual((os.waitstatus_to_exitcode(status), semaphore.value()), (5, 1))

    def test_a_signal_ends_who_waits(self):
        for semaphore in self.both(0):
            process = self.start("lock", semaphore.address, "echo", "in", stderr=subprocess.DEVNULL)
            if semaphore.name == "sysvsem":
                self.until(lambda: semaphore.waiters() == 1, "it waits")
            else:
                self.until(lambda: children_of(process.pid), "there is a guard")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGINT))
            # All of its processes have gone, none with a permit.
            self.assertEqual(process.stdout.read(), b"")
            self.assertEqual(self.nonet("post", semaphore.address).returncode, 0)
            self.assertEqual(semaphore.value(), 1)

    def test_a_killed_guard_is_told(self):
        semaphore = Posix(1)
        self.addCleanup(semaphore.remove)
        process = self.holder(semaphore)
        (guard,) = children_of(process.pid)
        os.kill(guard, signal.SIGKILL)
        status, _, err = self.finish(process)
        self.assertEqual((status, semaphore.value()), (125, 0))
        self.assertIn("nonet post " + semaphore.address, self.one_line(err))

    def test_what_can_not_be_run(self):
        self.touch("script", "#!/no/such/interpreter\n")
        for semaphore in self.both(1):
            for command, status in (("no-such-command-here", 127), (self.path("nothing"), 127), (self.dir, 126),
                                    (self.path("script"), 126)):
                done = self.nonet("lock", semaphore.address, command)
                self.assertEqual((done.returncode, done.stdout, semaphore.value()), (status, b"", 1), command)
                self.one_line(done.stderr)

    def touch(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def test_wrong_usage_is_one_line_and_125(self):
        for arguments, mention in (
            ((), "address"), (("sysvsem:1",), "command"), (("-t", "soon", "sysvsem:1", "true"), "250ms"),
            (("--frob", "sysvsem:1", "true"), "--frob"), (("sysvsem:1", "--frob", "true"), "--frob"),
            (("--shared", "sysvsem:1", "true"), "shared"), (("fifo:/a", "true"), "posixsem:"),
            (("posixsem:/nonet-no-such", "true"), "there is none"), (("sysvsem:id=2147483647", "true"), "no set"),
        ):
            with self.subTest(arguments=arguments):
                done = self.nonet("lock", *arguments)
                self.assertEqual((done.returncode, done.stdout), (125, b""), done.stderr)
                self.assertIn(mention, self.one_line(done.stderr))

    def test_the_command_gets_its_signals_and_descriptors_as_they_were(self):
        script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd"
        plain = subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        for semaphore in self.both(1):
            done = self.nonet("lock", semaphore.address, "--", "sh", "-c", script, stdin_file=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stdout), (0, plain.stdout), done.stderr)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(number) for number in file.read().split()]


class Post(Case):
    def test_it_gives_as_many_as_it_is_told(self):
        for semaphore in self.both(0):
            self.assertEqual(self.nonet("post", semaphore.address).returncode, 0)
            self.assertEqual(semaphore.value(), 1)
            done = self.nonet("post", semaphore.address, "41")
            self.assertEqual((done.returncode, done.stdout, done.stderr, semaphore.value()), (0, b"", b"", 42))

    def test_it_never_gives_more_than_can_be(self):
        for semaphore in self.both(1):
            done = self.nonet("post", semaphore.address, "2147483647")
            self.assertEqual((done.returncode, semaphore.value()), (1, 1))
            self.assertIn("more permits", self.one_line(done.stderr))

    def test_it_wakes_a_waiter(self):
        for semaphore in self.both(0):
            waiter = self.start("lock", semaphore.address, "echo", "in")
            self.nonet("post", semaphore.address)
            self.assertEqual(self.finish(waiter), (0, b"in\n", b""))

    def test_what_is_no_semaphore_is_wrong_usage(self):
        done = self.nonet("post", "fifo:/a")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"posixsem:/NAME", done.stderr)

    def test_a_set_that_has_only_its_zeros_is_taken_after_a_while(self):
        number = LIBC.semget(IPC_PRIVATE, 1, 0o600)
        try:
            self.assertEqual(self.nonet("post", f"sysvsem:id={number}").returncode, 0)
            self.assertEqual(LIBC.semctl(number, 0, GETVAL), 1)
        finally:
            LIBC.semctl(number, 0, IPC_RMID)


if __name__ == "__main__":
    cli.main()
