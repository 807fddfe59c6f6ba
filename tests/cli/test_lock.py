# SPDX-License-Identifier: Apache-2.0
"""nonet lock, on semaphores and files that a plain program has made, and nonet post."""

import ctypes
import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
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


class File:
    """A file lock: free, it has one permit."""

    def __init__(self, _):
        self.directory = tempfile.mkdtemp(prefix="nonet-cli-")
        self.path = os.path.join(self.directory, "lock")
        self.address = f"{self.name}:{self.path}"

    def value(self):
        if not os.path.exists(self.path):
            return 1
        with open(self.path, "r+", encoding="ascii") as file:
            try:
                self.lock(file)
            except BlockingIOError:
                return 0
        return 1

    def remove(self):
        shutil.rmtree(self.directory)


class Flock(File):
    name = "flock"

    @staticmethod
    def lock(file):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Ofd(File):
    name = "ofdlock"

    @staticmethod
    def lock(file):
        whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, whole)


class Classic(File):
    name = "posixlock"

    @staticmethod
    def lock(file):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


FILES = (Flock, Ofd, Classic)


class Own:
    """In a domain of its own: free, it has one permit, also if its last holder died with it."""

    made, tried = (), ("--recover",)

    def __init__(self, _):
        self.directory = tempfile.mkdtemp(prefix="cli-lock-", dir="/dev/shm")
        self.address = f"{self.name}:{self.directory}/m"
        subprocess.run([cli.NONET, "create", *self.made, self.address], check=True, timeout=cli.PATIENCE)

    def value(self):
        done = subprocess.run([cli.NONET, "lock", *self.tried, "-t", "0", self.address, "true"], capture_output=True,
                              check=False, timeout=cli.PATIENCE)
        assert done.returncode in (0, 124), done.stderr
        return int(done.returncode == 0)

    def remove(self):
        shutil.rmtree(self.directory)


class Mutex(Own):
    name = "mutex"


class Rwlock(Own):
    name = "rwlock"


class Permits(Own):
    name = "semaphore"
    made, tried = ("--value", "1"), ()


class Case(cli.Case):
    def each(self, kinds, value=1):
        for kind in kinds:
            lock = kind(value)
            self.addCleanup(lock.remove)
            yield lock

    def both(self, value):
        """A semaphore of each kind with that many permits."""
        yield from self.each((Posix, SystemV), value)

    def all(self):
        """What one can hold, of each kind."""
        yield from self.each((Posix, SystemV, Mutex, Rwlock, Permits) + FILES)

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
        for semaphore in self.all():
            process = self.holder(semaphore)
            for timeout in ("0", "50ms"):
                done = self.nonet("lock", "-t", timeout, semaphore.address, "echo", "in")
                self.assertEqual((done.returncode, done.stdout), (124, b""))
                sentence = self.one_line(done.stderr)
                # The last to change it is who took it.
                guard = (children_of(process.pid) or [None])[0]
                holder = {"sysvsem": f"process {process.pid}", "posixsem": "Nobody knows",
                          "mutex": f"is held by thread {guard} of process {guard} (nonet)",
                          "rwlock": f"thread {guard} of process {guard} (nonet)",
                          "semaphore": f"process {guard} (nonet) has 1 of 1"}
                self.assertIn(holder.get(semaphore.name) or f"process {guard} (nonet) has it", sentence)
            process.kill()
            self.comes_back(semaphore)
            done = self.nonet("lock", "-t", cli.BOUND, semaphore.address, "echo", "in")
            self.assertEqual((done.returncode, done.stdout), (0, b"in\n"))

    def test_a_waiter_gets_it_when_it_is_given_back(self):
        for semaphore in self.all():
            process = self.holder(semaphore, "echo ready; read line")
            waiter = self.start("lock", "-t", cli.BOUND, semaphore.address, "echo", "in")
            self.finish(process, b"\n")
            self.assertEqual(self.finish(waiter), (0, b"in\n", b""))
            self.assertEqual(semaphore.value(), 1)

    def test_a_killed_nonet_leaves_nothing_taken_and_nobody_running(self):
        for semaphore in self.all():
            process = self.holder(semaphore, "echo $$; echo ready; exec sleep 100", stderr=subprocess.DEVNULL)
            process.kill()
            self.comes_back(semaphore)
            # The pipe's end: the command doesn't run on, either.
            self.assertEqual(process.stdout.read(), b"")
            self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGKILL))

    def test_signals_reach_the_command_and_its_death_is_ours(self):
        for semaphore in self.all():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                process = self.holder(semaphore, "ulimit -c 0; echo ready; exec sleep 100")
                process.send_signal(number)
                self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(number))
                self.comes_back(semaphore)

    def test_a_command_may_handle_a_signal(self):
        for semaphore in self.all():
            process = self.start("lock", semaphore.address, sys.executable, "-c", HANDLES)
            self.read_until(process.stdout, b"ready\n")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.finish(process), (5, b"got 15\n", b""))
            self.assertEqual(semaphore.value(), 1)

    def test_a_terminals_interrupt_reaches_the_command_and_nonet_stays(self):
        for semaphore in self.all():
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
        for semaphore in self.all():
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
        for semaphore in self.all():
            done = self.nonet("lock", semaphore.address, "--", "sh", "-c", script, stdin_file=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stdout), (0, plain.stdout), done.stderr)


class Files(Case):
    """What is so only of file locks."""

    def test_a_file_is_made_that_only_its_owner_can_use(self):
        for lock in self.each(FILES):
            mask = os.umask(0o277)
            try:
                done = self.nonet("lock", lock.address, "stat", "-c", "%a %s", lock.path)
            finally:
                os.umask(mask)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"600 0\n", b""))

    def test_it_is_shared_by_who_wants_that(self):
        for lock in self.each(FILES):
            process = self.start("lock", "--shared", lock.address, "--", "sh", "-c", "echo ready; read line")
            self.read_until(process.stdout, b"ready\n")
            self.assertEqual(self.nonet("lock", "--shared", "-t", "0", lock.address, "true").returncode, 0)
            done = self.nonet("lock", "-t", "0", lock.address, "true")
            self.assertEqual(done.returncode, 124)
            self.assertIn("(nonet) has it", self.one_line(done.stderr))
            self.finish(process, b"\n")
            process = self.holder(lock)
            self.assertEqual(self.nonet("lock", "--shared", "-t", "20ms", lock.address, "true").returncode, 124)

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_who_may_only_read_a_file_can_share_it(self):
        for lock in self.each(FILES):
            with open(lock.path, "w", encoding="ascii"):
                os.chmod(lock.directory, 0o755)
                os.chmod(lock.path, 0o644)
            done = self.nonet_as(cli.NOBODY, "lock", "--shared", "-t", "0", lock.address, "true")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            done = self.nonet_as(cli.NOBODY, "lock", "-t", "0", lock.address, "true")
            self.assertEqual(done.returncode, 0 if lock.name == "flock" else 125, done.stderr)
            # Who has it can't be seen by everybody, and that is said.
            process = self.holder(lock)
            done = self.nonet_as(cli.NOBODY, "lock", "--shared", "-t", "0", lock.address, "true")
            self.assertEqual(done.returncode, 124)
            self.assertRegex(self.one_line(done.stderr), r"process \d+ \(nonet\) has it|couldn't be looked into")
            process.terminate()
            process.wait(cli.PATIENCE)

    def test_a_directory_can_have_a_flock(self):
        self.assertEqual(self.nonet("lock", "-t", "0", "flock:" + self.dir, "true").returncode, 0)
        done = self.nonet("lock", "-t", "0", "ofdlock:" + self.dir, "true")
        self.assertEqual(done.returncode, 125)
        self.one_line(done.stderr)

    def test_ranges_that_do_not_overlap_do_not_meet(self):
        for kind in (Ofd, Classic):
            for lock in self.each((kind,)):
                address = lock.address
                lock.address += ",0+10"
                self.holder(lock)
                self.assertEqual(self.nonet("lock", "-t", "0", address + ",10+1", "true").returncode, 0)
                self.assertEqual(self.nonet("lock", "-t", "0", address + ",9+1", "true").returncode, 124)
                self.assertEqual(self.nonet("lock", "-t", "0", address, "true").returncode, 124)

    def test_a_killed_guard_is_told_and_holds_no_more(self):
        for lock in self.each(FILES):
            process = self.holder(lock)
            (guard,) = children_of(process.pid)
            os.kill(guard, signal.SIGKILL)
            status, out, err = self.finish(process)
            # The end of its output: the command was killed as well.
            self.assertEqual((status, out, lock.value()), (125, b"", 1))
            self.assertIn("held no more", self.one_line(err))

    def test_a_command_can_not_lose_it_nor_leave_it_behind(self):
        """By closing what descriptors there are, and every descriptor of the file, for which classic locks end."""
        script = "import os, sys; os.closerange(3, 1000); open(sys.argv[1]).close(); print('ready', flush=True); " \
                 "sys.stdin.readline(); os.fork() or (print('left', flush=True), os.read(int(sys.argv[2]), 1))"
        for lock in self.each(FILES):
            behind, end = os.pipe()
            os.set_inheritable(behind, True)
            os.dup2(behind, 1000)
            process = self.start("lock", lock.address, sys.executable, "-c", script, lock.path, "1000",
                                 pass_fds=(1000,))
            os.close(behind)
            os.close(1000)
            self.read_until(process.stdout, b"ready\n")
            self.assertEqual(lock.value(), 0)
            process.stdin.write(b"\n")
            process.stdin.flush()
            self.assertEqual(process.wait(cli.PATIENCE), 0)
            self.assertEqual(lock.value(), 1)
            # It does run on.
            self.read_until(process.stdout, b"left\n")
            os.close(end)
            self.assertEqual(process.stdout.read(), b"")

    def test_a_file_that_is_replaced_meanwhile_is_locked_anew(self):
        for lock in self.each(FILES):
            process = self.holder(lock, "echo ready; read line")
            waiter = self.start("lock", "-t", cli.BOUND, lock.address, "--", "sh", "-c", "echo in; read line")
            self.until(lambda pid=waiter.pid: children_of(pid) and lock.path in files_of(children_of(pid)[0]),
                       "it has the old file open")
            with open(lock.path + ".new", "w", encoding="ascii"):
                os.rename(lock.path + ".new", lock.path)
            self.finish(process, b"\n")
            self.read_until(waiter.stdout, b"in\n")
            self.assertEqual(lock.value(), 0)
            self.finish(waiter, b"\n")

    def need(self, program):
        if not shutil.which(program):
            cli.skip_or_fail(self, f"{program} isn't installed")

    def test_flock_and_nonet_exclude_each_other(self):
        self.need("flock")
        for lock in self.each((Flock,)):
            process = self.holder(lock, "echo ready; read line")
            self.assertEqual(subprocess.run(["flock", "-n", lock.path, "true"], check=False).returncode, 1)
            other = self.start(lock.path, "echo", "in", command="flock")
            self.finish(process, b"\n")
            self.assertEqual(self.finish(other), (0, b"in\n", b""))
            other = self.start(lock.path, "sh", "-c", "echo ready; read line; exit 0", command="flock")
            self.read_until(other.stdout, b"ready\n")
            done = self.nonet("lock", "-t", "50ms", lock.address, "true")
            self.assertEqual(done.returncode, 124)
            sentence = self.one_line(done.stderr)
            # The command has inherited it: both have it.
            self.assertIn(f"process {other.pid} (flock), process {children_of(other.pid)[0]} (sh) have it", sentence)
            waiter = self.start("lock", "-t", cli.BOUND, lock.address, "echo", "in")
            self.finish(other, b"\n")
            self.assertEqual(self.finish(waiter), (0, b"in\n", b""))

    def test_sqlite_and_nonet_exclude_each_other(self):
        self.need("sqlite3")
        for kind in ("posixlock", "ofdlock"):
            path = self.path("db-" + kind)
            subprocess.run(["sqlite3", path, "create table t (x)"], check=True)
            # The bytes that readers share and writers have for themselves: 510 from PENDING_BYTE + 2.
            address = f"{kind}:{path},1073741826+510"
            insert = ["sqlite3", path, "insert into t values (1)"]
            done = self.nonet("lock", address, *insert)
            self.assertEqual(done.returncode, 5)
            self.assertIn(b"locked", done.stderr)
            self.assertEqual(subprocess.run(insert, check=False).returncode, 0)
            process = self.start("-batch", path, command="sqlite3")
            process.stdin.write(b"begin exclusive;\n.print ready\n")
            process.stdin.flush()
            self.read_until(process.stdout, b"ready\n")
            done = self.nonet("lock", "-t", "50ms", address, "true")
            self.assertEqual(done.returncode, 124)
            self.assertIn(f"process {process.pid} (sqlite3) has it", self.one_line(done.stderr))
            self.finish(process, b"commit;\n")


def files_of(pid):
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:
            pass
    return found


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
