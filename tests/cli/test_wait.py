# SPDX-License-Identifier: Apache-2.0
"""nonet wait."""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import uuid

import cli

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.sem_open.restype = ctypes.c_void_p
for call in ("sem_close", "sem_post"):
    getattr(LIBC, call).argtypes = [ctypes.c_void_p]

IPC_PRIVATE, IPC_RMID, GETVAL, SETVAL, GETNCNT, IPC_NOWAIT = 0, 0, 12, 16, 14, 0o4000

# Holds a lock of the kind that its first argument names until its input ends.
HOLDS = """
import fcntl, os, struct, sys
fd = os.open(sys.argv[2], os.O_RDWR)
if sys.argv[1] == "flock":
    fcntl.flock(fd, fcntl.LOCK_EX)
else:
    command = fcntl.F_SETLK if sys.argv[1] == "posixlock" else fcntl.F_OFD_SETLK
    fcntl.fcntl(fd, command, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 100, 10, 0))
print("held", flush=True)
sys.stdin.read()
"""

LOCKS = ("ofdlock", "posixlock", "flock")


class Wait(cli.Case):
    def pipes(self, count):
        made = [os.pipe() for _ in range(count)]
        for pair in made:
            self.addCleanup(lambda pair=pair: [os.close(fd) for fd in pair])
        return made

    def test_one_that_is_ready_is_printed_and_nothing_is_taken(self):
        (first, _), (second, into) = self.pipes(2)
        os.write(into, b"x")
        done = self.nonet("wait", "--timeout", cli.BOUND, f"fd:{first}", f"fd:{second}", pass_fds=(first, second))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"fd:{second}\n".encode(), b""))
        self.assertEqual(os.read(second, 10), b"x")

    def test_it_waits_until_one_is(self):
        ((first, into),) = self.pipes(1)
        process = self.start("wait", "--timeout", cli.BOUND, f"fd:{first}", pass_fds=(first,))
        os.write(into, b"x")
        self.assertEqual(self.finish(process), (0, f"fd:{first}\n".encode(), b""))

    def test_the_end_of_the_other_side_counts(self):
        ours, theirs = socket.socketpair()
        ours.close()
        with theirs:
            done = self.nonet("wait", "--timeout", cli.BOUND, f"fd:{theirs.fileno()}", pass_fds=(theirs.fileno(),))
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_all_prints_each_once_it_is_ready(self):
        (first, into_first), (second, into_second) = self.pipes(2)
        process = self.start("wait", "--all", "--timeout", cli.BOUND, f"fd:{first}", f"fd:{second}",
                             pass_fds=(first, second))
        os.write(into_second, b"x")
        self.assertEqual(self.read_until(process.stdout, b"\n"), f"fd:{second}\n".encode())
        os.write(into_first, b"x")
        self.assertEqual(self.finish(process), (0, f"fd:{first}\n".encode(), b""))

    def test_nothing_within_the_timeout_is_124(self):
        (first, _), (second, into) = self.pipes(2)
        for options, expected in (((), b""), (("--json",), b"")):
            done = self.nonet("wait", "--timeout", "50ms", *options, f"fd:{first}", pass_fds=(first,))
            self.assertEqual((done.returncode, done.stdout), (124, expected))
            self.one_line(done.stderr)
        os.write(into, b"x")
        done = self.nonet("wait", "--all", "--timeout", "50ms", f"fd:{first}", f"fd:{second}",
                          pass_fds=(first, second))
        self.assertEqual((done.returncode, done.stdout), (124, f"fd:{second}\n".encode()))

    def test_no_patience_at_all(self):
        ((first, into),) = self.pipes(1)
        self.assertEqual(self.nonet("wait", "--timeout", "0", f"fd:{first}", pass_fds=(first,)).returncode, 124)
        os.write(into, b"x")
        self.assertEqual(self.nonet("wait", "--timeout", "0", f"fd:{first}", pass_fds=(first,)).returncode, 0)

    def test_fifos_without_writers(self):
        """All are open for their writers at once, though none has come."""
        for name in ("a", "b"):
            os.mkfifo(self.path(name))
        process = self.start("wait", "--timeout", cli.BOUND, "fifo:" + self.path("a"), "fifo:" + self.path("b"))
        with open(self.path("b"), "wb") as writer:  # waits for the reader
            writer.write(b"x")
            writer.flush()
            self.assertEqual(self.finish(process), (0, b"fifo:" + self.path("b").encode() + b"\n", b""))

    def test_names_that_are_made_later(self):
        process = self.start("wait", "--timeout", cli.BOUND, self.address("unix"), self.address("fifo", "never"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path())
            listener.listen()
            client, _ = listener.accept()
            with client:
                client.send(b"x")
                self.assertEqual(self.finish(process), (0, self.address("unix").encode() + b"\n", b""))

    def test_a_name_that_is_not_there_and_no_timeout_is_1(self):
        for carrier in ("unix", "fifo"):
            done = self.nonet("wait", self.address(carrier))
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.one_line(done.stderr)

    def test_a_process_is_waited_for(self):
        process = self.start("10", command="sleep")
        waiter = self.start("wait", "--timeout", cli.BOUND, f"pid:{process.pid}")
        done = self.nonet("wait", "--timeout", "50ms", f"pid:{process.pid}")
        self.assertEqual((done.returncode, done.stdout), (124, b""))
        process.kill()  # not reaped before the end of the test: it has ended all the same
        self.assertEqual(self.finish(waiter), (0, f"pid:{process.pid}\n".encode(), b""))
        self.assertEqual(self.nonet("wait", f"pid:{process.pid}").returncode, 0)
        process.wait(cli.PATIENCE)
        done = self.nonet("wait", "--timeout", "50ms", f"pid:{process.pid}")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(str(process.pid), self.one_line(done.stderr))

    def test_a_process_is_waited_for_among_others(self):
        ((first, into),) = self.pipes(1)
        process = self.start("10", command="sleep")
        os.write(into, b"x")
        waiter = self.start("wait", "--all", "--timeout", cli.BOUND, f"pid:{process.pid}", f"fd:{first}",
                            pass_fds=(first,))
        self.assertEqual(self.read_until(waiter.stdout, b"\n"), f"fd:{first}\n".encode())
        process.kill()
        self.assertEqual(self.finish(waiter)[:2], (0, f"pid:{process.pid}\n".encode()))

    def ready(self, address, timeout=cli.BOUND):
        done = self.nonet("wait", "--timeout", timeout, address)
        if done.returncode == 0:
            self.assertEqual((done.stdout, done.stderr), (address.encode() + b"\n", b""))
        else:
            self.one_line(done.stderr)
        return done.returncode

    def semaphores(self):
        """A semaphore of each carrier without a permit: its address, who posts, and who tells how many it has."""
        path = "/cli-wait-" + uuid.uuid4().hex
        posix = LIBC.sem_open(path.encode(), os.O_CREAT | os.O_EXCL, 0o600, 0)
        self.assertTrue(posix)
        self.addCleanup(LIBC.sem_close, posix)
        self.addCleanup(LIBC.sem_unlink, path.encode())
        number = ctypes.c_int()

        def value():
            LIBC.sem_getvalue(ctypes.c_void_p(posix), ctypes.byref(number))
            return number.value

        yield "posixsem:" + path, lambda: LIBC.sem_post(posix), value
        sysv = LIBC.semget(IPC_PRIVATE, 2, 0o600)
        self.assertGreaterEqual(sysv, 0)
        self.addCleanup(LIBC.semctl, sysv, 0, IPC_RMID)
        yield (f"sysvsem:id={sysv}[1]", lambda: LIBC.semctl(sysv, 1, SETVAL, 1),
               lambda: LIBC.semctl(sysv, 1, GETVAL))

    def test_a_permit_is_waited_for_and_stays(self):
        for address, post, value in self.semaphores():
            for timeout in ("0", "50ms"):
                self.assertEqual(self.ready(address, timeout), 124)
            process = self.start("wait", "--timeout", cli.BOUND, address)
            post()
            self.assertEqual(self.finish(process), (0, address.encode() + b"\n", b""))
            self.assertEqual(value(), 1)
            self.assertEqual((self.ready(address), self.ready(address, "0"), value()), (0, 0, 1))

    def test_who_waits_for_a_permit_sleeps_in_the_kernel(self):
        """A System V semaphore's waiter: woken by the permit itself, as who takes it is."""
        *_, (address, post, value) = self.semaphores()
        number = int(address.split("=")[1].split("[")[0])
        process = self.start("wait", address)
        self.until(lambda: LIBC.semctl(number, 1, GETNCNT) == 1, "it waits")
        post()
        self.assertEqual(self.finish(process), (0, address.encode() + b"\n", b""))
        self.assertEqual(value(), 1)

    def queues(self):
        """A queue of each carrier: its address, who sends, and who receives without waiting."""
        path = "/cli-wait-" + uuid.uuid4().hex
        posix = LIBC.mq_open(path.encode(), os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NONBLOCK, 0o600, None)
        self.assertGreaterEqual(posix, 0)
        self.addCleanup(os.close, posix)
        self.addCleanup(LIBC.mq_unlink, path.encode())
        buffer = ctypes.create_string_buffer(65536)

        def receive_posix():
            size = LIBC.mq_receive(posix, buffer, ctypes.c_size_t(len(buffer)), None)
            return buffer.raw[:size]

        yield "posixmq:" + path, lambda text: LIBC.mq_send(posix, text, ctypes.c_size_t(len(text)), 0), receive_posix
        sysv = LIBC.msgget(IPC_PRIVATE, 0o600)
        self.assertGreaterEqual(sysv, 0)
        self.addCleanup(LIBC.msgctl, sysv, IPC_RMID, None)

        def send_sysv(text):
            message = struct.pack("l", 7) + text
            return LIBC.msgsnd(sysv, message, ctypes.c_size_t(len(text)), 0)

        def receive_sysv():
            size = LIBC.msgrcv(sysv, buffer, ctypes.c_size_t(100), ctypes.c_long(0), IPC_NOWAIT)
            return buffer.raw[8:8 + size]

        yield f"sysvmsg:id={sysv}", send_sysv, receive_sysv

    def test_a_message_is_waited_for_and_stays(self):
        for address, send, receive in self.queues():
            with self.subTest(address=address):
                self.assertEqual(self.ready(address, "50ms"), 124)
                process = self.start("wait", "--timeout", cli.BOUND, address)
                self.assertEqual(send(b"hello"), 0)
                self.assertEqual(self.finish(process), (0, address.encode() + b"\n", b""))
                self.assertEqual((self.ready(address), self.ready(address, "0")), (0, 0))
                self.assertEqual(receive(), b"hello")

    def hold(self, kind, path):
        process = self.start("-c", HOLDS, kind, path, command=sys.executable)
        self.read_until(process.stdout, b"held\n")
        return process

    def test_a_lock_is_waited_for_and_let_go_again(self):
        path = self.path("lock")
        open(path, "w", encoding="ascii").close()
        for kind in LOCKS:
            with self.subTest(kind=kind):
                address = f"{kind}:{path}"
                self.assertEqual(self.ready(address, "0"), 0)
                holder = self.hold(kind, path)
                for timeout in ("0", "50ms"):
                    self.assertEqual(self.ready(address, timeout), 124)
                process = self.start("wait", "--all", "--timeout", cli.BOUND, address, self.address("fifo", "later"))
                self.until(lambda pid=process.pid: waits_for_lock(pid, kind), "it waits")
                self.finish(holder)
                self.assertEqual(self.read_until(process.stdout, b"\n"), address.encode() + b"\n")
                # It still runs, for the other address, and has let go of the lock: another has it at once.
                self.assertEqual(self.ready(address, "0"), 0)
                self.assertIsNone(process.poll())
                self.end(process)

    def test_only_the_range_that_is_asked_for_is_waited_for(self):
        path = self.path("lock")
        open(path, "w", encoding="ascii").close()
        for kind in LOCKS[:2]:
            holder = self.hold(kind, path)
            self.assertEqual(self.ready(f"{kind}:{path},0+100", "0"), 0)
            self.assertEqual(self.ready(f"{kind}:{path},109+1", "0"), 124)
            self.finish(holder)

    def test_a_shared_lock_is_in_the_way(self):
        path = self.path("lock")
        with open(path, "w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            self.assertEqual(self.ready(f"flock:{path}", "50ms"), 124)
        self.assertEqual(self.ready(f"flock:{path}"), 0)

    def test_a_lock_file_that_is_not_there(self):
        done = self.nonet("wait", self.address("flock", "none"))
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn("none", self.one_line(done.stderr))
        self.assertFalse(os.path.exists(self.path("none")))
        process = self.start("wait", "--timeout", cli.BOUND, self.address("flock", "none"))
        open(self.path("none"), "w", encoding="ascii").close()
        self.assertEqual(self.finish(process)[0], 0)

    def test_json(self):
        ((first, into),) = self.pipes(1)
        os.write(into, b"x")
        done = self.nonet("wait", "--json", "--timeout", cli.BOUND, f"fd:{first}", pass_fds=(first,))
        found = json.loads(done.stdout)
        self.assertEqual(set(found), {"address", "seconds"})
        self.assertEqual(found["address"], f"fd:{first}")

    def test_a_signal_ends_it(self):
        ((first, _),) = self.pipes(1)
        process = self.start("wait", f"fd:{first}", pass_fds=(first,))
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process)[0], cli.status_of_signal(signal.SIGINT))


def waits_for_lock(pid, kind):
    """Whether a thread of the process sleeps in fcntl(2) or flock(2)."""
    wanted = "73" if kind == "flock" else "72"  # of x86-64
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/syscall", encoding="ascii") as file:
                if file.read().split()[0] == wanted:
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass
    return False


if __name__ == "__main__":
    cli.main()
