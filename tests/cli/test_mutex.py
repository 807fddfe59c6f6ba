# SPDX-License-Identifier: Apache-2.0
"""The command on mutexes of nonet's own: what a holder's death means to a shell user."""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile

import cli


class Case(cli.Case):
    def setUp(self):
        super().setUp()
        self.domain = tempfile.mkdtemp(prefix="cli-mutex-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.domain)
        self.mutex = f"mutex:{self.domain}/jobs"

    def created(self, *options):
        done = self.nonet("create", *options, self.mutex)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def locked(self, *arguments):
        """Runs nonet lock on the mutex. Returns its exit status, what the command printed, and the warnings."""
        done = self.nonet("lock", "-t", cli.BOUND, *arguments[:-1], self.mutex, "--", "sh", "-c", arguments[-1])
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def holder_dies(self):
        """Somebody is killed who holds it, with the command that he runs."""
        process = self.start("lock", self.mutex, "--", "sh", "-c", "echo ready; exec sleep 100", stderr=subprocess.DEVNULL)
        self.read_until(process.stdout, b"ready\n")
        process.kill()
        self.assertEqual(process.stdout.read(), b"", "the command was killed, too")


class Make(Case):
    def test_it_is_made_with_its_mode_and_removed(self):
        self.created("--mode", "0640", "--rank", "3", "--recursive", "--trace")
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.domain}/jobs.mutex").st_mode), 0o640)
        again = self.nonet("create", self.mutex)
        self.assertEqual(again.returncode, 1)
        self.assertIn("there already", self.one_line(again.stderr))
        self.assertEqual(self.nonet("remove", self.mutex).returncode, 0)
        self.assertEqual(self.nonet("remove", self.mutex).returncode, 1)
        self.assertEqual(self.nonet("remove", "--force", self.mutex).returncode, 0)

    def test_options_that_mean_nothing_are_refused(self):
        for arguments, mention in (
            (("--size", "4K", self.mutex), "--size"), (("--value", "1", self.mutex), "--value"),
            (("--rank", "1", "posixsem:/cli-mutex"), "--rank"), (("--trace", "posixsem:/cli-mutex"), "--trace"),
            (("--readers", "64", self.mutex), "--readers"), (("--trace", f"condition:{self.domain}/c"), "--trace"),
            (("--recursive", "posixsem:/cli-mutex"), "--recursive"), (("--rank", "0", self.mutex), "--rank"),
            (("--rank", "5000000000", self.mutex), "too many"),
        ):
            with self.subTest(arguments=arguments):
                done = self.nonet("create", *arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(mention, self.one_line(done.stderr))
        done = self.nonet("lock", "--shared", self.mutex, "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("isn't shared", self.one_line(done.stderr))
        done = self.nonet("lock", "--recover", "flock:" + self.path(), "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("for a mutex", self.one_line(done.stderr))

    def test_who_locks_what_is_not_there_is_told(self):
        self.assertEqual(self.locked("true")[0], 125)
        self.created()
        self.nonet("remove", self.mutex)
        status, _, err = self.locked("true")
        self.assertEqual(status, 125)
        self.assertIn("there is no", err)


class Death(Case):
    def setUp(self):
        super().setUp()
        self.created()

    def test_the_next_command_runs_with_a_warning_and_its_success_recovers(self):
        self.holder_dies()
        status, out, err = self.locked("echo $NONET_OWNER_DIED")
        self.assertEqual((status, out), (0, self.mutex + "\n"))
        self.assertIn("half-done", self.one_line(err.encode()))
        self.assertEqual(self.locked("echo ${NONET_OWNER_DIED-unset}"), (0, "unset\n", ""))

    def test_a_command_that_fails_leaves_the_warning_to_the_next(self):
        self.holder_dies()
        for _ in range(3):
            status, _, err = self.locked("exit 4")
            self.assertEqual(status, 4)
            self.assertIn("half-done", self.one_line(err.encode()))
        self.assertIn("half-done", self.locked("true")[2])
        # Without a death a failure means nothing.
        self.assertEqual(self.locked("exit 4"), (4, "", ""))
        self.assertEqual(self.locked("true"), (0, "", ""))

    def test_recover_says_that_nothing_needs_mending(self):
        self.holder_dies()
        self.assertEqual(self.locked("--recover", "exit 4"), (4, "", ""))
        self.assertEqual(self.locked("true"), (0, "", ""))

    def test_no_recover_does_not_run_it_and_leaves_it_so(self):
        self.holder_dies()
        for _ in range(2):
            status, out, err = self.locked("--no-recover", "echo in")
            self.assertEqual((status, out), (125, ""))
            self.assertIn("isn't run", self.one_line(err.encode()))
        self.assertIn("half-done", self.locked("true")[2])
        self.assertEqual(self.locked("--no-recover", "echo in"), (0, "in\n", ""))

    def test_a_command_that_a_signal_ends_has_died_with_it(self):
        for number in (signal.SIGKILL, signal.SIGINT):
            self.assertEqual(self.locked(f"kill -{int(number)} $$")[0], cli.status_of_signal(number))
            self.assertIn("half-done", self.locked("true")[2])
            self.assertEqual(self.locked("true"), (0, "", ""))

    def test_a_killed_guard_is_the_death_of_the_holder(self):
        process = self.start("lock", self.mutex, "--", "sh", "-c", "echo $PPID; exec sleep 100")
        guard = int(self.read_until(process.stdout, b"\n"))
        os.kill(guard, signal.SIGKILL)
        status, _, err = self.finish(process)
        self.assertEqual(status, 125)
        self.assertIn("is held no more", self.one_line(err))
        self.assertIn("half-done", self.locked("true")[2])

    def test_a_waiter_is_woken_by_the_death(self):
        process = self.start("lock", self.mutex, "--", "sh", "-c", "echo ready; exec sleep 100", stderr=subprocess.DEVNULL)
        self.read_until(process.stdout, b"ready\n")
        waiter = self.start("lock", self.mutex, "--", "sh", "-c", "echo $NONET_OWNER_DIED")
        self.until(lambda: children(waiter.pid), "there is a guard")
        process.kill()
        status, out, err = self.finish(waiter)
        self.assertEqual((status, out.decode()), (0, self.mutex + "\n"))
        self.assertIn("half-done", self.one_line(err))


class Others(Case):
    """rwlock: and condition:"""

    def test_readers_share_and_a_writer_does_not(self):
        lock = f"rwlock:{self.domain}/prices"
        done = self.nonet("create", "--mode", "0644", "--rank", "2", "--readers", "64", "--trace", lock)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        reader = self.start("lock", "--shared", lock, "--", "sh", "-c", "echo $PPID; read line")
        guard = int(self.read_until(reader.stdout, b"\n"))
        self.assertEqual(self.nonet("lock", "--shared", "-t", "0", lock, "true").returncode, 0)
        done = self.nonet("lock", "-t", "20ms", lock, "true")
        self.assertEqual(done.returncode, 124)
        self.assertIn(f"process {guard}", self.one_line(done.stderr))
        shown = json.loads(self.nonet("show", "--json", lock).stdout)
        self.assertEqual((shown["holder"], shown["mode"], shown["processes"]), (guard, "0644", 1))
        self.assertEqual((shown["trace"][0]["what"], shown["trace"][0]["pid"]), ("locked to read", guard))
        writer = self.start("lock", lock, "--", "sh", "-c", "echo in")
        self.until(lambda: json.loads(self.nonet("show", "--json", lock).stdout).get("waiters") == 1, "it waits")
        self.finish(reader, b"\n")
        self.assertEqual(self.finish(writer), (0, b"in\n", b""))

    def test_a_dead_reader_is_nothing_to_tell_and_a_dead_writer_is(self):
        lock = f"rwlock:{self.domain}/prices"
        self.assertEqual(self.nonet("create", lock).returncode, 0)
        for options, warned in (("--shared",), b""), ((), b"half-done"):
            process = self.start("lock", *options, lock, "--", "sh", "-c", "echo ready; exec sleep 100",
                                 stderr=subprocess.DEVNULL)
            self.read_until(process.stdout, b"ready\n")
            process.kill()
            self.assertEqual(process.stdout.read(), b"")
            self.until(lambda: json.loads(self.nonet("show", "--json", lock).stdout)["processes"] == 0, "it is gone")
            shown = json.loads(self.nonet("show", "--json", lock).stdout)
            self.assertEqual(shown.get("holder_dead"), True if warned else None)
            done = self.nonet("lock", "-t", cli.BOUND, lock, "true")
            self.assertEqual(done.returncode, 0)
            self.assertIn(warned, done.stderr)
            self.assertEqual(bool(done.stderr), bool(warned))

    def test_a_condition_is_made_shown_and_removed(self):
        address = f"condition:{self.domain}/news"
        self.assertEqual(self.nonet("create", address).returncode, 0)
        shown = json.loads(self.nonet("show", "--json", address).stdout)
        self.assertEqual((shown["address"], shown["kind"], shown["processes"]), (address, "condition", 0))
        self.assertEqual(self.nonet("remove", address).returncode, 0)
        self.assertEqual(self.nonet("show", address).returncode, 1)
        done = self.nonet("lock", address, "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("can't lock", self.one_line(done.stderr))


class Signal(Case):
    def test_one_posts_and_another_waits(self):
        address = f"semaphore:{self.domain}/ready"
        for options in (), ("--value", "0"):
            done = self.nonet("create", *options, address)
            self.assertEqual(done.returncode, 2)
            self.assertIn("needs --value", self.one_line(done.stderr))
        self.assertEqual(self.nonet("create", "--signal", address).returncode, 0)
        waiter = self.start("lock", address, "echo", "in")
        self.assertEqual(self.nonet("post", address).returncode, 0)
        self.assertEqual(self.finish(waiter), (0, b"in\n", b""))
        done = self.nonet("create", "--signal", self.mutex)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--signal", self.one_line(done.stderr))


class Example(Case):
    """examples/licences.sh, built from these verbs."""

    SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "licences.sh")

    def test_licences_are_shared_and_come_back(self):
        done = subprocess.run([self.SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60,
                              env=self.environment({"NONET": cli.NONET}), check=False)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(), r"^12 scripts, at most [1-5] at a time\nall 5 licences are back\n$")


class Look(Case):
    def shown(self):
        done = self.nonet("show", "--json", self.mutex)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return json.loads(done.stdout)

    def listed(self):
        done = self.nonet("ls", "--json", "domains", environment={"NONET_DOMAIN": self.domain})
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        told = json.loads(done.stdout)
        (domain,) = [domain for domain in told["domains"] if domain["path"] == self.domain]
        return domain, {one["address"]: one for one in told["objects"]}

    def test_holder_waiter_and_trace(self):
        self.created("--trace")
        holder = self.start("lock", self.mutex, "--", "sh", "-c", "echo $PPID; read line")
        guard = int(self.read_until(holder.stdout, b"\n"))
        waiter = self.start("lock", self.mutex, "--", "sh", "-c", "echo $PPID")
        self.until(lambda: self.shown().get("waiters") == 1, "it waits")
        shown = self.shown()
        self.assertEqual((shown["holder"], shown["processes"]), (guard, 2))
        self.assertEqual([(one["what"], one["pid"]) for one in shown["members"][:2]],
                         [("holder", guard), ("waiter", int(children(waiter.pid)[0]))])
        self.assertEqual([(one["what"], one["pid"]) for one in shown["trace"]], [("locked", guard)])
        text = self.nonet("show", self.mutex).stdout.decode()
        self.assertRegex(text, rf"(?m)^holder  process {guard} \(nonet\), for \d+s or longer$")
        self.assertRegex(text, rf"(?m)^did     [-0-9]+ [:0-9]+\.\d{{6}} process {guard} locked$")
        domain, objects = self.listed()
        self.assertEqual((domain["members"], domain["objects"], domain["damaged"]), (2, 1, False))
        self.assertEqual((objects["mutex:jobs"]["holder"], objects["mutex:jobs"]["waiters"]), (guard, 1))
        self.finish(holder, b"\n")
        second = int(self.finish(waiter)[1])
        shown = self.shown()
        self.assertEqual([(one["what"], one["pid"]) for one in shown["trace"]],
                         [("locked", guard), ("unlocked", guard), ("locked", second), ("unlocked", second)])
        self.assertEqual((shown["members"], shown["processes"], "holder" in shown), ([], 0, False))

    def test_a_dead_holder_and_what_is_damaged(self):
        self.created()
        self.holder_dies()
        self.until(lambda: self.shown().get("holder_dead"), "its death is told")
        self.assertEqual(self.shown()["members"], [{"what": "holder", "dead": True}])
        self.assertIn("one who died", self.nonet("show", self.mutex).stdout.decode())
        for name in ("file", "a\n\x1b[31mb"):
            with open(f"{self.domain}/{name}.mutex", "w", encoding="ascii") as file:
                file.write("nothing")
        _, objects = self.listed()
        self.assertEqual({address: (one.get("holder_dead"), one.get("damaged")) for address, one in objects.items()
                          if "/" not in address},
                         {"mutex:jobs": (True, None), "mutex:file": (None, True), "mutex:a%0A%1B[31mb": (None, True)})
        text = self.nonet("ls", "domains", environment={"NONET_DOMAIN": self.domain}).stdout.decode()
        self.assertRegex(text, r"(?m)^mutex:jobs .*its holder died$")
        self.assertRegex(text, r"(?m)^mutex:file .*damaged: nobody can use it$")
        self.assertRegex(text, rf"(?m)^domain {self.domain}: 3 objects, 0 processes, ")

    def doctor(self):
        done = self.nonet("doctor", "--json", "--all", "domains", environment={"NONET_DOMAIN": self.domain})
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        (finding,) = json.loads(done.stdout)
        return finding

    def test_the_doctor_tells_of_the_dead_and_the_damaged(self):
        self.created()
        self.holder_dies()
        self.until(lambda: self.shown().get("holder_dead"), "its death is told")
        with open(f"{self.domain}/bad.mutex", "w", encoding="ascii"):
            finding = self.doctor()
        # Others may have left some as well: it tells one of the worst.
        self.assertEqual(finding["level"], "note")
        self.assertRegex(finding["found"], "is damaged|no domain of this version")
        self.assertEqual(self.nonet("remove", f"mutex:{self.domain}/bad").returncode, 0)
        finding = self.doctor()
        self.assertEqual(finding["level"], "note")
        self.assertRegex(finding["found"], ":.+ was held by a process that died|is damaged|no domain|was given up")

    def test_the_doctor_counts_those_that_it_does_not_name(self):
        """In a /dev/shm of its own, where nobody else leaves what is damaged."""
        script = 'mount -t tmpfs none /dev/shm && mkdir -m 700 /dev/shm/jobs && export NONET_DOMAIN=/dev/shm/jobs && ' \
                 'for name in a b c; do "$0" create mutex:$name && : >/dev/shm/jobs/$name.mutex && ' \
                 '"$0" doctor --json --all domains || exit 9; done; : >/dev/shm/jobs/.domain; ' \
                 '"$0" doctor --json --all domains'
        new = ["--mount"] if os.geteuid() == 0 else ["--map-root-user", "--mount"]
        done = self.nonet(*new, "sh", "-c", script, cli.NONET, command="unshare")
        if not done.stdout and done.returncode != 9:
            cli.skip_or_fail(self, "can't make a mount namespace: " + done.stderr.decode())
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        found = [finding["found"] for finding in json.loads(done.stdout.replace(b"]\n[", b","))]
        self.assertRegex(found[0], r"^mutex:\w is damaged$")
        self.assertRegex(found[1], r'^mutex:\w is damaged, and 1 more is: "nonet ls domains" lists them$')
        self.assertRegex(found[2], r'^mutex:\w is damaged, and 2 more are: "nonet ls domains" lists them$')
        self.assertEqual(found[3], "/dev/shm/jobs holds no domain of this version of nonet")

    def test_what_is_not_there(self):
        for address, mention in ((self.mutex, "no domain"), ("mutex:" + self.path("none") + "/x", "no domain|can't look")):
            done = self.nonet("show", address)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertRegex(self.one_line(done.stderr), mention)
        self.created()
        done = self.nonet("show", self.mutex + "2")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no " + self.mutex + "2", self.one_line(done.stderr))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


if __name__ == "__main__":
    cli.main()
