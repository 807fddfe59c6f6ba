# SPDX-License-Identifier: Apache-2.0
"""File locks of whom nobody can see: outside of the PID namespace, or another user's under hidepid=2."""

import fcntl
import json
import os
import shutil
import struct
import unittest

import cli

KINDS = ("ofdlock", "posixlock", "flock")


def lock(file, kind):
    if kind == "flock":
        fcntl.flock(file, fcntl.LOCK_EX)
    else:
        command = fcntl.F_SETLK if kind == "posixlock" else fcntl.F_OFD_SETLK
        fcntl.fcntl(file, command, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))


@unittest.skipIf(os.geteuid() != 0, "only root can make a PID namespace, and mount /proc")
class Hidden(cli.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("unshare") or not shutil.which("setpriv"):
            cli.skip_or_fail(self, "needs unshare and setpriv of util-linux")
        os.chmod(self.dir, 0o755)
        self.file = self.path("lock")
        with open(self.file, "wb"):
            os.chmod(self.file, 0o666)

    def outside(self, *arguments):
        """The command in a PID namespace of its own, in which we aren't."""
        return self.nonet("--pid", "--fork", "--mount-proc", cli.NONET, *arguments, command="unshare")

    def hidepid(self, *arguments):
        """The command as another user, to whom /proc shows his own processes only."""
        self.nonet_as(cli.NOBODY, "version")  # makes the copy that he can run
        script = "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid $0 --regid $0 --clear-groups \"$@\""
        return self.nonet("--mount", "sh", "-c", script, str(cli.NOBODY), self.path("others/nonet"), *arguments,
                          command="unshare")

    def shown(self, how, kind):
        text, listed = how("show", f"{kind}:{self.file}"), how("show", "--json", f"{kind}:{self.file}")
        self.assertEqual((text.returncode, text.stderr, listed.returncode), (0, b"", 0))
        return text.stdout.decode(), json.loads(listed.stdout)

    def test_a_holder_outside_of_the_pid_namespace_is_not_nobody(self):
        for kind in KINDS:
            with self.subTest(kind=kind), open(self.file, "r+b") as file:
                lock(file, kind)
                text, shown = self.shown(self.outside, kind)
                self.assertIn("outside of this PID namespace", text)
                self.assertIs(shown["coverage"]["outside_hidden"], True)
                # The kernel leaves out classic locks and flocks of whoever has no number there.
                self.assertEqual(len(shown["holders"]), kind == "ofdlock")
                self.assertEqual([one for one in shown["holders"] if "pid" in one], [])
                done = self.outside("lock", "--timeout", "0", f"{kind}:{self.file}", "true")
                self.assertEqual(done.returncode, 124)
                self.one_line(done.stderr)

    def test_a_holder_that_proc_hides_is_not_nobody(self):
        for kind in KINDS:
            with self.subTest(kind=kind), open(self.file, "r+b") as file:
                lock(file, kind)
                text, shown = self.shown(self.hidepid, kind)
                self.assertIn("hidepid", text)
                self.assertIs(shown["coverage"]["processes_hidden"], True)
                self.assertEqual([("pid" in one, "name" in one) for one in shown["holders"]], [(False, False)])
                done = self.hidepid("lock", "--timeout", "0", f"{kind}:{self.file}", "true")
                self.assertEqual(done.returncode, 124)
                self.one_line(done.stderr)

    def test_the_list_says_what_it_can_not_see(self):
        with open(self.file, "r+b") as file:
            lock(file, "flock")
            for how, mention in (self.outside, "outside of this PID namespace"), (self.hidepid, "hidepid"):
                done = how("ls", "locks")
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertIn(mention, done.stdout.decode())


if __name__ == "__main__":
    cli.main()
