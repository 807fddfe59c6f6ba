# SPDX-License-Identifier: Apache-2.0
"""The command on events and nonet's own semaphores, and nonet wait on what is nonet's own."""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

import cli


class Case(cli.Case):
    def setUp(self):
        super().setUp()
        self.domain = tempfile.mkdtemp(prefix="cli-event-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.domain)
        self.event = f"event:{self.domain}/done"
        self.permits = f"semaphore:{self.domain}/licences"
        self.signals = f"semaphore:{self.domain}/signals"

    def done(self, *arguments):
        """Runs the command, which has nothing to say."""
        done = self.nonet(*arguments)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""), arguments)

    def refused(self, mention, *arguments, status=1):
        done = self.nonet(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, b""), done.stderr)
        self.assertIn(mention, done.stderr.decode().splitlines()[0])

    def shown(self, address):
        done = self.nonet("show", "--json", address)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return json.loads(done.stdout)

    def text(self, address):
        done = self.nonet("show", address)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode()

    def ready(self, address, timeout=cli.BOUND):
        done = self.nonet("wait", "--timeout", timeout, address)
        if done.returncode == 0:
            self.assertEqual((done.stdout, done.stderr), (address.encode() + b"\n", b""))
        else:
            self.one_line(done.stderr)
        return done.returncode

    def waits(self, *addresses, options=()):
        """nonet wait, once it waits for all of them by descriptors."""
        process = self.start("wait", "--timeout", cli.BOUND, *options, *addresses)
        for address in addresses:
            self.until(lambda address=address: process.pid in
                       [one.get("pid") for one in self.shown(address)["members"] if one["what"] == "waiter"],
                       f"it waits for {address}")
        return process

    def holds(self, address, *options):
        """nonet lock with the address held: its process, and the guard's number."""
        process = self.start("lock", *options, address, "--", "sh", "-c", "echo $PPID; read line",
                             stderr=subprocess.DEVNULL)
        return process, int(self.read_until(process.stdout, b"\n"))

    def bells(self):
        return [name for name in os.listdir(self.domain) if name.startswith(".bell")]


class Event(Case):
    def test_it_is_made_shown_listed_and_removed(self):
        self.done("create", "--mode", "0640", self.event)
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.domain}/done.event").st_mode), 0o640)
        self.refused("there already", "create", self.event)
        shown = self.shown(self.event)
        self.assertEqual((shown["kind"], shown["mode"], shown["set"], shown["count"], shown["waiters"]),
                         ("event", "0640", False, 0, 0))
        self.assertRegex(self.text(self.event), r"(?m)^notes   not set$")
        table = self.nonet("ls", "event", environment={"NONET_DOMAIN": self.domain}).stdout.decode()
        self.assertRegex(table, r"(?m)^event:done +\S+ +0640 .* not set$")
        self.done("remove", self.event)
        self.refused("there is no", "show", self.event)
        self.refused("there is no", "remove", self.event)
        self.done("remove", "--force", self.event)

    def test_it_is_set_pulsed_cleared_and_traced(self):
        self.done("create", "--set", "--trace", self.event)
        self.assertIs(self.shown(self.event)["set"], True)
        self.done("post", self.event)
        self.assertRegex(self.text(self.event), r"(?m)^notes   set, happened once$")
        self.done("post", "--clear", self.event)
        self.done("post", "--clear", self.event)
        self.done("post", self.event)
        self.done("post", "--pulse", self.event)
        shown = self.shown(self.event)
        self.assertEqual((shown["set"], shown["count"]), (False, 3))
        self.assertEqual([one["what"] for one in shown["trace"]], ["set", "cleared", "cleared", "set", "pulsed"])
        text = self.text(self.event)
        self.assertRegex(text, r"(?m)^notes   not set, happened 3 times$")
        self.assertRegex(text, r"(?m)^did     .* process \d+ pulsed$")
        self.assertNotIn("holder", text)

    def test_a_waiter_goes_on_by_either_and_not_before(self):
        self.done("create", self.event)
        self.assertEqual((self.ready(self.event, "0"), self.ready(self.event, "50ms")), (124, 124))
        for options in (), ("--pulse",):
            process = self.waits(self.event)
            self.assertRegex(self.text(self.event), rf"(?m)^waiter  process {process.pid} \(nonet\)$")
            self.assertNotIn("holder", self.text(self.event))
            self.done("post", *options, self.event)
            self.assertEqual(self.finish(process), (0, self.event.encode() + b"\n", b""))
            self.done("post", "--clear", self.event)
            self.assertEqual(self.ready(self.event, "0"), 124)
        self.done("post", self.event)
        self.assertEqual((self.ready(self.event, "0"), self.ready(self.event)), (0, 0))
        self.assertEqual(self.bells(), [])

    def test_wrong_usage(self):
        self.done("create", self.event)
        self.done("create", "--signal", self.signals)
        for mention, arguments in (
                ("takes no number", ("post", self.event, "2")), ("--pulse clears", ("post", "--pulse", "--clear", self.event)),
                ("--pulse is for an event", ("post", "--pulse", self.signals)),
                ("--clear is for an event", ("post", "--clear", "posixsem:/x")),
                ("nothing can be posted to mutex:x", ("post", "mutex:x")), ("needs the address", ("post",)),
                ("--set is for an event", ("create", "--set", "mutex:x")), ("--value", ("create", "--value", "1", self.event)),
                ("nothing of condition:", ("wait", "condition:x"))):
            with self.subTest(arguments=arguments):
                self.refused(mention, *arguments, status=2)
        done = self.nonet("lock", self.event, "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("can't lock", self.one_line(done.stderr))

    def test_what_is_not_there(self):
        self.done("create", self.event)
        for arguments in ("post", self.event + "2"), ("wait", self.event + "2"), ("show", self.event + "2"):
            self.refused("there is no", *arguments)
        done = self.nonet("wait", "--timeout", "20ms", self.event, self.event + "2")
        self.assertEqual(done.returncode, 124)
        self.assertIn(self.event + "2 isn't there", self.one_line(done.stderr))
        # With a timeout it is waited for.
        process = self.start("wait", "--timeout", cli.BOUND, self.event + "2")
        self.done("create", "--set", self.event + "2")
        self.assertEqual(self.finish(process), (0, self.event.encode() + b"2\n", b""))

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_another_user_is_kept_out(self):
        self.done("create", self.event)
        self.done("create", "--value", "1", self.permits)
        for address in self.event, self.permits:
            for arguments in (("post", address), ("wait", address), ("show", address), ("remove", address)):
                with self.subTest(arguments=arguments):
                    done = self.nonet_as(cli.NOBODY, *arguments)
                    self.assertEqual((done.returncode, done.stdout), (1, b""))
                    self.assertIn(self.domain, self.one_line(done.stderr))
        # The domain's file isn't his to read where the directory is.
        os.chmod(self.domain, 0o755)
        done = self.nonet_as(cli.NOBODY, "show", "--json", self.event)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(self.domain, self.one_line(done.stderr))

    def test_a_signal_ends_the_wait_and_nothing_is_left(self):
        self.done("create", self.event)
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            process = self.waits(self.event)
            self.assertEqual(len(self.bells()), 1)
            process.send_signal(number)
            self.assertEqual(self.finish(process), (cli.status_of_signal(number), b"", b""))
            self.assertEqual(self.bells(), [])
        # Whoever is killed leaves his bell to who rings it, and is no waiter any more.
        process = self.waits(self.event)
        self.end(process)
        self.assertEqual(self.shown(self.event)["waiters"], 0)
        self.done("post", self.event)
        self.assertEqual(self.bells(), [])

    def test_output_that_goes_nowhere(self):
        self.done("create", "--set", self.event)
        with open("/dev/full", "wb") as full:
            for arguments in ("wait", self.event), ("show", self.event), ("show", "--json", self.event):
                done = self.nonet(*arguments, stdout=full)
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard output", self.one_line(done.stderr))


class Semaphore(Case):
    def test_who_has_its_permits_and_who_waits(self):
        self.done("create", "--value", "2", self.permits)
        self.assertRegex(self.text(self.permits), r"(?m)^permits 2\n.*\nnotes   2 of 2 permits free$")
        first, guard = self.holds(self.permits)
        shown = self.shown(self.permits)
        self.assertEqual((shown["value"], shown["permits"], shown["holder"]), (1, 2, guard))
        second, other = self.holds(self.permits)
        process = self.start("lock", self.permits, "--", "echo", "in")
        self.until(lambda: self.shown(self.permits)["waiters"] == 1, "it waits")
        shown = self.shown(self.permits)
        self.assertEqual((shown["value"], shown["processes"], "holder" in shown), (0, 3, False))
        self.assertEqual({(one["pid"], one["permits"]) for one in shown["members"] if one["what"] == "holder"},
                         {(guard, 1), (other, 1)})
        text = self.text(self.permits)
        self.assertRegex(text, rf"(?m)^holder  process {guard} \(nonet\), 1 permit$")
        self.assertRegex(text, r"(?m)^notes   .*0 of 2 permits free, 1 waits$")
        self.assertRegex(text, r"(?m)^waiter  process \d+ \(nonet\)$")
        table = self.nonet("ls", "semaphores", environment={"NONET_DOMAIN": self.domain}).stdout.decode()
        self.assertRegex(table, r"(?m)^semaphore:licences .* 0 of 2 permits free, 1 waits$")
        self.finish(first, b"\n")
        self.assertEqual(self.finish(process), (0, b"in\n", b""))
        self.finish(second, b"\n")

    def test_a_dead_holders_permits_are_free_and_no_illness(self):
        self.done("create", "--value", "1", self.permits)
        holder, guard = self.holds(self.permits)
        os.kill(guard, signal.SIGKILL)
        holder.wait(cli.PATIENCE)
        shown = self.shown(self.permits)
        self.assertEqual((shown["value"], "holder" in shown, "holder_dead" in shown), (1, False, False))
        self.assertEqual(shown["members"], [{"what": "holder", "dead": True, "permits": 1}])
        self.assertRegex(self.text(self.permits), r"(?m)^holder  the dead: 1 permit, free for whoever asks$")
        self.assertEqual(self.ready(self.permits, "0"), 0)

    def test_a_permit_is_waited_for_and_not_taken(self):
        self.done("create", "--value", "1", self.permits)
        for ended in False, True:
            holder, guard = self.holds(self.permits)
            self.assertEqual(self.ready(self.permits, "0"), 124)
            process = self.waits(self.permits)
            if ended:
                os.kill(guard, signal.SIGKILL)
            else:
                holder.communicate(b"\n", cli.PATIENCE)
            self.assertEqual(self.finish(process), (0, self.permits.encode() + b"\n", b""))
            self.assertEqual((self.ready(self.permits), self.ready(self.permits)), (0, 0))
            holder.wait(cli.PATIENCE)

    def test_one_that_only_counts_is_posted_to_and_another_is_not(self):
        self.done("create", "--signal", self.signals)
        self.done("create", "--value", "1", self.permits)
        process = self.waits(self.signals)
        self.done("post", self.signals, "3")
        self.assertEqual(self.finish(process), (0, self.signals.encode() + b"\n", b""))
        shown = self.shown(self.signals)
        self.assertEqual((shown["value"], shown["signals"], "permits" in shown), (3, True, False))
        self.assertRegex(self.text(self.signals), r"(?m)^permits 3\n.*\nnotes   only counts$")
        self.refused("create --signal", "post", self.permits)
        self.refused("more than any semaphore", "post", self.signals, "5000000000", status=2)
        self.refused("would have more permits", "post", self.signals, "2000000000")

    def test_what_is_damaged_is_said_to_be_so(self):
        self.done("create", "--value", "1", self.permits)
        self.done("create", self.event)
        for address, name in (self.permits, "licences.semaphore"), (self.event, "done.event"):
            with open(f"{self.domain}/{name}", "r+b") as file:
                file.truncate(9000 if name.startswith("l") else 8200)
            self.assertRegex(self.text(address), r"(?m)^notes   damaged: nobody can use it$")
            for verb in "wait", "post":
                done = self.nonet(verb, address)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.one_line(done.stderr)


class Wait(Case):
    """nonet wait, for several at once, and for what can be locked."""

    def test_several_at_once_by_their_doorbells(self):
        mutex = f"mutex:{self.domain}/m"
        for arguments in (mutex,), (self.event,), ("--signal", self.signals):
            self.done("create", *arguments)
        holder, _ = self.holds(mutex)
        process = self.waits(mutex, self.event, self.signals, options=("--all", "--json"))
        for address, act in ((self.signals, lambda: self.done("post", self.signals)),
                             (self.event, lambda: self.done("post", "--pulse", self.event)),
                             (mutex, lambda: holder.communicate(b"\n", cli.PATIENCE))):
            act()
            line = json.loads(self.read_until(process.stdout, b"\n"))
            self.assertEqual((line["address"], set(line)), (address, {"address", "seconds"}))
        self.assertEqual(self.finish(process), (0, b"", b""))
        self.assertEqual(self.shown(self.signals)["value"], 1)

    def test_a_lock_is_waited_for_and_not_taken(self):
        for kind in "mutex", "rwlock":
            address = f"{kind}:{self.domain}/lock"
            self.done("create", "--trace", address)
            self.assertEqual(self.ready(address), 0)
            holder, _ = self.holds(address)
            self.assertEqual((self.ready(address, "0"), self.ready(address, "50ms")), (124, 124))
            process = self.start("wait", "--timeout", cli.BOUND, address)
            self.until(lambda address=address: self.shown(address)["processes"] == 2, "it has it open")
            holder.communicate(b"\n", cli.PATIENCE)
            self.assertEqual(self.finish(process), (0, address.encode() + b"\n", b""))
            # Nobody but the holder ever had it.
            self.assertEqual(len(self.shown(address)["trace"]), 2)

    def test_readers_are_in_the_way(self):
        address = f"rwlock:{self.domain}/lock"
        self.done("create", address)
        readers = [self.holds(address, "--shared")[0] for _ in range(2)]
        for reader in readers:
            self.assertEqual(self.ready(address, "20ms"), 124)
            reader.communicate(b"\n", cli.PATIENCE)
        self.assertEqual(self.ready(address, "0"), 0)

    def test_the_death_of_a_holder_ends_the_wait(self):
        for kind in "mutex", "rwlock":
            address = f"{kind}:{self.domain}/lock"
            self.done("create", address)
            holder, guard = self.holds(address)
            process = self.start("wait", "--timeout", cli.BOUND, address)
            self.until(lambda address=address: self.shown(address)["processes"] == 2, "it has it open")
            os.kill(guard, signal.SIGKILL)
            self.assertEqual(self.finish(process), (0, address.encode() + b"\n", b""))
            self.assertTrue(self.shown(address)["holder_dead"], "and the next one is told, still")
            holder.wait(cli.PATIENCE)

    def test_an_rwlock_rings(self):
        """It isn't looked at time and again: a waiter of a reader and of a writer is told by who lets go."""
        address = f"rwlock:{self.domain}/lock"
        self.done("create", address)
        for option in ("--shared",), ():
            holder, _ = self.holds(address, *option)
            process = self.waits(address)
            holder.communicate(b"\n", cli.PATIENCE)
            self.assertEqual(self.finish(process), (0, address.encode() + b"\n", b""))

    def test_a_removed_domain_ends_the_wait(self):
        for kind in "mutex", "rwlock", "event", "semaphore":
            address = f"{kind}:{self.domain}/gone"
            self.done("create", *(["--value", "1"] if kind == "semaphore" else []), address)
            holder = self.holds(address)[0] if kind != "event" else None
            process = self.waits(address)
            os.unlink(f"{self.domain}/.domain")
            status, out, err = self.finish(process)
            self.assertEqual((status, out), (1, b""))
            self.assertIn("was removed", self.one_line(err))
            if holder:
                holder.communicate(b"\n", cli.PATIENCE)
            os.unlink(f"{self.domain}/gone.{kind}")

    def test_what_becomes_damaged_ends_the_wait(self):
        """A peer says that it found it damaged: who waits for what is held is told, and doesn't look without end."""
        for kind in "mutex", "rwlock", "event", "semaphore":
            address = f"{kind}:{self.domain}/bad"
            self.done("create", *(["--value", "1"] if kind == "semaphore" else []), address)
            holder = self.holds(address)[0] if kind != "event" else None
            process = self.start("wait", "--timeout", cli.BOUND, address)
            self.until(lambda address=address, held=holder: self.shown(address)["processes"] == 1 + bool(held), "it waits")
            with open(f"{self.domain}/bad.{kind}", "r+b") as file:
                file.seek(64)
                file.write(b"\1")
            status, out, err = self.finish(process)
            self.assertEqual((status, out), (1, b""))
            self.assertIn("damaged", self.one_line(err))
            if holder:
                holder.communicate(b"\n", cli.PATIENCE)


if __name__ == "__main__":
    cli.main()
