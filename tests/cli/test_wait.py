# SPDX-License-Identifier: Apache-2.0
"""nonet wait."""

import json
import os
import signal
import socket

import cli


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


if __name__ == "__main__":
    cli.main()
