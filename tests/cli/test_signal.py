# SPDX-License-Identifier: Apache-2.0
"""nonet signal and nonet stop."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import uuid

import cli


def status_field(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return re.search(rf"^{key}:\s*(\S+)", file.read(), re.MULTILINE)[1]


def has_arguments(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read() != b""


class Processes(cli.Case):
    def setUp(self):
        super().setUp()
        self.name = "nonet-" + uuid.uuid4().hex[:8]

    def called(self, *arguments, name=None, program="/bin/sleep", **options):
        """Starts a program under a name of this test's own (argv[0])."""
        process = subprocess.Popen([name or self.name, *(arguments or ("100",))], executable=program,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(self.end, process)
        # What starts it goes on while the kernel is still about to give it its arguments.
        self.until(lambda: process.poll() is not None or has_arguments(process.pid), "it has a name")
        return process

    def shell(self, script):
        """A shell that runs @script, once it has said that it is ready."""
        process = self.called("-c", script, program="/bin/sh")
        self.read_until(process.stdout, b"ready\n")
        return process

    def waiter(self, *arguments):
        """nonet signal --wait, once it can be signalled."""
        ours, theirs = os.pipe()
        process = self.start("signal", "--wait", "--ready-fd", str(theirs), "--timeout", cli.BOUND, *arguments,
                             pass_fds=(theirs,))
        os.close(theirs)
        with open(ours, "rb") as ready:
            self.assertEqual(ready.read(), b"pid:%d\n" % process.pid)
        return process


class Signal(Processes):
    def test_a_process_is_signalled_by_number_address_and_name(self):
        for who in (str, "pid:{}".format, lambda _: self.name):
            process = self.called()
            done = self.nonet("signal", who(process.pid), "USR1")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
            self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGUSR1))

    def test_one_that_comes_after_the_last_does_no_harm(self):
        process = self.waiter("USR1", "USR2")
        process.send_signal(signal.SIGSTOP)
        self.until(lambda: status_field(process.pid, "State") == "T", "it has stopped")
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGUSR2)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(cli.PATIENCE), 0)
        self.assertEqual(len(cli.lines_of(process.stdout.read())), 1)

    def test_none_is_passed_over_for_want_of_descriptors(self):
        processes = [self.called() for _ in range(6)]
        for limit in range(4, 9):
            done = subprocess.run(["sh", "-c", f'ulimit -n {limit}; exec "$0" signal --all "$1" USR1', cli.NONET,
                                   self.name], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            self.assertEqual((done.returncode, [process.poll() for process in processes]), (1, [None] * 6), limit)

    def test_a_name_with_a_newline_is_not_its_first_line(self):
        script = f"import ctypes,signal; ctypes.CDLL(None).prctl(15, b'{self.name[:13]}\\nx'); print('ready', flush=True); " \
                 "signal.pause()"
        process = self.called("-c", script, program=sys.executable, name="other")
        self.read_until(process.stdout, b"ready\n")
        done = self.nonet("signal", self.name[:13], "USR1")
        self.assertEqual((done.returncode, process.poll()), (1, None))

    def test_the_proc_of_another_namespace_names_nobody(self):
        if os.geteuid() != 0:
            cli.skip_or_fail(self, "to make a PID namespace takes root")
        process = self.called()
        done = subprocess.run(["unshare", "-pf", cli.NONET, "stop", self.name], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, process.poll()), (1, None))
        self.assertIn(b"PID namespace", done.stderr)

    def test_ready_is_told_in_shell(self):
        script = 'who=$("$0" signal --wait --ready-fd 3 USR1 3>&1 >"$1" &) && "$0" signal "$who" USR1 && echo "$who"'
        done = subprocess.run(["sh", "-c", script, cli.NONET, self.path()], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False, timeout=cli.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertRegex(done.stdout, rb"^pid:\d+\n$")
        self.until(lambda: os.path.getsize(self.path()) > 0, "it was received")

    def test_who_can_not_be_told_that_it_is_ready_is_1(self):
        with open(self.path(), "wb") as file, open(self.path()) as only_read, open("/dev/full", "wb") as full:
            for fd in (only_read.fileno(), full.fileno()):
                done = self.nonet("signal", "--wait", "--ready-fd", str(fd), "USR1", pass_fds=(fd,))
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(f"descriptor {fd}", self.one_line(done.stderr))
            done = self.nonet("signal", "--wait", "--ready-fd", str(file.fileno()), "USR1")
            self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_standard_output_can_be_told_and_stays_open(self):
        process = self.start("signal", "--wait", "--ready-fd", "1", "--timeout", cli.BOUND, "USR1")
        self.read_until(process.stdout, b"pid:%d\n" % process.pid)
        process.send_signal(signal.SIGUSR1)
        status, out, err = self.finish(process)
        self.assertEqual((status, err), (0, b""))
        self.assertTrue(out.startswith(b"SIGUSR1 "), out)

    def test_names_that_look_like_something_else(self):
        for name in (f"{self.name}: a worker", "9" + str(uuid.uuid4().int)[:15], f"pid:{self.name}"):
            for verb in (("signal", name, "KILL"), ("stop", name)):
                process = self.called(name=name)
                done = self.nonet(*verb)
                self.assertEqual((done.returncode, done.stdout, process.poll()), (2, b"", None))
                done = self.nonet(*verb, "--name")
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertLess(process.wait(cli.PATIENCE), 0)

    def test_an_empty_name_is_nobodys(self):
        process = self.called(name="/opt/bin/")
        for verb in (("signal", "", "TERM"), ("signal", "--name", "--all", "", "TERM"), ("stop", "--all", "")):
            done = self.nonet(*verb)
            self.assertEqual((done.returncode, done.stdout, process.poll()), (2, b"", None))
            self.assertIn('""', self.one_line(done.stderr))

    def test_the_last_part_of_a_path_is_the_name(self):
        process = self.called(name=f"/opt/bin/{self.name}")
        self.assertEqual(self.nonet("signal", self.name, "15").returncode, 0)
        self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGTERM))

    def test_a_name_of_several_does_nothing_without_all(self):
        both = [self.called(), self.called()]
        for verb in (("signal", self.name, "TERM"), ("stop", self.name)):
            done = self.nonet(*verb)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            lines = cli.lines_of(done.stderr)
            self.assertIn("--all", lines[0])
            self.assertEqual({line.strip() for line in lines[1:]}, {f"pid:{process.pid}" for process in both})
        self.assertEqual([process.poll() for process in both], [None, None])
        done = self.nonet("signal", "--all", "--json", self.name, "TERM")
        self.assertEqual(done.returncode, 0)
        self.assertEqual({found["pid"] for found in cli.json_lines(done.stdout)}, {process.pid for process in both})
        self.assertEqual({(found["signal"], found["number"]) for found in cli.json_lines(done.stdout)},
                         {("SIGTERM", 15)})
        for process in both:
            self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGTERM))

    def test_nobody_of_that_name_or_number_is_1(self):
        process = self.called()
        process.kill()
        process.wait(cli.PATIENCE)
        for who in (self.name, str(process.pid), f"pid:{process.pid}", "pid:1073741824"):
            for verb in (("signal", who, "TERM"), ("stop", who)):
                done = self.nonet(*verb)
                self.assertEqual((done.returncode, done.stdout), (1, b""), done.stderr)
                self.one_line(done.stderr)

    def test_it_does_not_find_itself(self):
        process = self.called("signal", "--all", self.name, "TERM", program=cli.NONET)
        self.assertEqual(self.finish(process)[0], 1)

    def test_a_value_goes_from_one_command_to_another(self):
        number = signal.SIGRTMIN + 3
        for extra, expected in (((), 0), (("--value", "-7"), -7), (("--value", "2147483647"), 2147483647)):
            waiter = self.waiter("--json", "RTMIN+3")
            sent = self.start("signal", f"pid:{waiter.pid}", "SIGRTMIN+3", *extra)
            self.assertEqual(self.finish(sent), (0, b"", b""))
            status, out, err = self.finish(waiter)
            self.assertEqual((status, err), (0, b""))
            self.assertEqual(json.loads(out), {"signal": "SIGRTMIN+3", "number": number, "pid": sent.pid,
                                               "uid": os.getuid(), "value": expected, "how": "queue"})

    def test_several_are_waited_for_and_come_in_order(self):
        waiter = self.waiter("--count", "3", "RTMIN", "USR1")
        for value in ("1", "2"):
            self.assertEqual(self.nonet("signal", str(waiter.pid), "RTMIN", "--value", value).returncode, 0)
        os.kill(waiter.pid, signal.SIGUSR1)
        status, out, _ = self.finish(waiter)
        self.assertEqual(status, 0)
        self.assertEqual(sorted(line.split()[0] + " " + line.split()[-1] for line in cli.lines_of(out)),
                         ["SIGRTMIN 1", "SIGRTMIN 2", "SIGUSR1 0"])

    def test_none_within_the_timeout_is_124(self):
        done = self.nonet("signal", "--wait", "--timeout", "20ms", "USR1")
        self.assertEqual((done.returncode, done.stdout), (124, b""))
        self.assertIn("SIGUSR1", self.one_line(done.stderr))

    def test_what_can_not_be_waited_for_is_said(self):
        for name in ("KILL", "SEGV"):
            done = self.nonet("signal", "--wait", name)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn("SIG" + name, self.one_line(done.stderr))


class Stop(Processes):
    def test_one_that_obeys(self):
        process = self.called()
        done = self.nonet("stop", f"pid:{process.pid}", "--grace", cli.BOUND)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, f"pid:{process.pid} ended by itself\n".encode(), b""))
        self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGTERM))

    def test_one_that_does_not(self):
        process = self.shell("trap '' TERM; echo ready; read x")
        done = self.nonet("stop", str(process.pid), "--grace", "50ms", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(json.loads(done.stdout), {"pid": process.pid, "killed": True})
        self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGKILL))

    def test_one_that_is_stopped(self):
        process = self.called()
        process.send_signal(signal.SIGSTOP)
        self.until(lambda: status_field(process.pid, "State") == "T", "the process is stopped")
        self.assertEqual(self.nonet("stop", self.name, "--grace", cli.BOUND).returncode, 0)
        self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGTERM))

    def test_all_of_a_name_are_asked_once_and_share_the_grace(self):
        patient = self.shell("trap 'echo asked' TERM; echo ready; while :; do read x && exit 0; done")
        stubborn = [self.shell("trap '' TERM; echo ready; read x") for _ in range(2)]
        stopper = self.start("stop", "--all", self.name, "--grace", "500ms", "--json")
        said = self.read_until(patient.stdout, b"asked\n")
        patient.stdin.write(b"\n")
        patient.stdin.flush()
        self.assertEqual(patient.wait(cli.PATIENCE), 0)
        self.assertEqual((said + patient.stdout.read()).count(b"asked"), 1)
        status, out, err = self.finish(stopper)
        self.assertEqual((status, err), (0, b""))
        killed = {found["pid"] for found in cli.json_lines(out) if found["killed"]}
        self.assertEqual({process.pid for process in stubborn}, killed)
        for process in stubborn:
            self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGKILL))

    def hold_up(self):
        """A process that doesn't end, whatever is sent to it: a debugger doesn't let go of one of its threads. Returns
        what lets go."""
        script = "import threading; threading.Thread(target=lambda: print(threading.get_native_id(), flush=True) or " \
                 "threading.Event().wait()).start(); threading.Event().wait()"
        process = self.called("-c", script, program=sys.executable)
        thread = int(self.read_until(process.stdout, b"\n"))
        seize = ctypes.CDLL(None, use_errno=True).ptrace
        seize.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
        if seize(0x4206, thread, None, None) < 0:  # PTRACE_SEIZE
            cli.skip_or_fail(self, "this environment lets nobody be traced: " + os.strerror(ctypes.get_errno()))

        def let_go():
            while os.WIFSTOPPED(os.waitpid(thread, 0x40000000)[1]):  # __WALL; at the SIGTERM, if that thread took it
                pass

        return process, let_go

    def test_one_that_is_held_up_holds_up_no_other(self):
        held, let_go = self.hold_up()
        stubborn = self.shell("trap '' TERM; echo ready; read x")
        stopper = self.start("stop", "--all", self.name, "--grace", "100ms", "--timeout", "forever", "--json")
        self.assertEqual(stubborn.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGKILL))
        told = json.loads(self.read_until(stopper.stdout, b"\n"))
        self.assertEqual((told, stopper.poll()), ({"pid": stubborn.pid, "killed": True}, None))
        let_go()
        status, out, err = self.finish(stopper)
        self.assertEqual((status, err), (0, b""))
        self.assertEqual(json.loads(out)["pid"], held.pid)

    def test_a_full_disk_keeps_nobody_alive(self):
        process = self.called()
        with open("/dev/full", "wb") as full:
            done = self.nonet("stop", self.name, "--grace", cli.BOUND, stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", self.one_line(done.stderr))
        self.assertEqual(process.wait(cli.PATIENCE), cli.status_of_signal(signal.SIGTERM))

    def test_a_timeout_before_the_grace_uses_no_force_and_is_124(self):
        process = self.shell("trap '' TERM; echo ready; read x; exit 7")
        for timeout in ("50ms", "0"):
            done = self.nonet("stop", str(process.pid), "--grace", "1h", "--timeout", timeout)
            self.assertEqual((done.returncode, done.stdout), (124, b""))
            self.assertIn("didn't end", self.one_line(done.stderr))
        self.assertEqual(process.poll(), None)
        process.stdin.close()
        self.assertEqual(process.wait(cli.PATIENCE), 7)


class Supervisor(Processes):
    """examples/supervisor.sh, built from these verbs."""

    SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "supervisor.sh")

    def supervise(self, script):
        """Starts it over a shell that runs @script, with a file in $FILE for its own."""
        return self.start(self.SCRIPT, "sh", "-c", script, command="bash",
                          environment={"NONET": cli.NONET, "FILE": self.path("starts"), "GRACE": "10s"})

    def orders(self, process):
        """The process that takes orders, once it does."""
        said = self.read_until(process.stdout, b"orders to pid:").decode()
        while not re.search(r"orders to pid:\d+\n", said):
            said += os.read(process.stdout.fileno(), 1).decode()
        return int(re.search(r"orders to pid:(\d+)\n", said)[1])

    def starts(self):
        with open(self.path("starts"), encoding="ascii") as file:
            return file.read().split()

    def test_a_crashing_worker_is_started_again_and_orders_are_obeyed(self):
        open(self.path("starts"), "w", encoding="ascii").close()
        process = self.supervise("echo $$ >>$FILE; [ $(wc -l <$FILE) -gt 2 ] || kill -9 $$; exec sleep 100")
        control = self.orders(process)
        self.until(lambda: len(self.starts()) == 3, "it was started three times")
        self.assertEqual(self.nonet("signal", f"pid:{control}", "HUP").returncode, 0)
        control = self.orders(process)
        self.until(lambda: len(self.starts()) == 4, "it was started once more")
        self.assertEqual(self.nonet("signal", f"pid:{control}", "TERM").returncode, 0)
        self.assertEqual(self.finish(process)[0], 0)
        for pid in self.starts():
            self.assertFalse(os.path.exists(f"/proc/{pid}"), pid)
        self.assertFalse(os.path.exists(f"/proc/{control}"))

    def test_it_gives_up(self):
        process = self.supervise("echo $$ >>$FILE; exit 7")
        status, out, _ = self.finish(process)
        self.assertEqual((status, len(self.starts()), out.count(b"status 7")), (1, 5, 5))

    def test_a_worker_that_ends_well_ends_it(self):
        process = self.supervise("exit 0")
        status, out, _ = self.finish(process)
        self.assertEqual((status, out.count(b"status 0")), (0, 1))


if __name__ == "__main__":
    cli.main()
