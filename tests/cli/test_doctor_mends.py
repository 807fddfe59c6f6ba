# SPDX-License-Identifier: Apache-2.0
"""The command that nonet doctor says mends it, mends it: in namespaces of our own, with a shell of our own."""

import json
import os

import cli

# A check, and what makes it wrong.
WRONG = (
    ("open-files", "ulimit -Sn 100"),
    ("open-files", "ulimit -n 100"),
    ("signal-queue", "ulimit -i 100"),
    ("mqueue-bytes", "ulimit -q 1000"),
    ("mqueue-bytes", "ulimit -Sq 1000"),
    ("mqueue-limits", "sysctl -qw fs.mqueue.msg_max=10"),
    ("mqueue-limits", "sysctl -qw fs.mqueue.queues_max=1"),
    ("sysv-queues", "sysctl -qw kernel.msgmni=0"),
    ("sysv-queue-size", "sysctl -qw kernel.msgmnb=16384"),
    ("sysv-queue-size", "sysctl -qw kernel.msgmax=2097152"),
    ("sysv-segments", "sysctl -qw kernel.shmmni=0"),
    ("sysv-segments", "sysctl -qw kernel.shmall=0"),
    ("sysv-segments", "sysctl -qw kernel.shmmax=1"),
    ("sysv-semaphores", "sysctl -qw kernel.sem='250 32000 32 0'"),
    ("datagram-queue", "sysctl -qw net.unix.max_dgram_qlen=10"),
    ("backlog", "sysctl -qw net.core.somaxconn=8"),
    ("shm-mount", "while umount -l /dev/shm; do :; done"),
    ("shm-mount", "chmod 755 /dev/shm"),
    ("shm-mount", "chmod 777 /dev/shm"),
    ("shm-mount", "mount -o remount,ro /dev/shm"),
    ("shm-noexec", "mount -o remount,noexec /dev/shm"),
    ("shm-space", "mount -o remount,size=8m /dev/shm"),
    ("shm-space", "mount -o remount,nr_inodes=40 /dev/shm"),
)
CPUS = ("cpus", "taskset -pc $(taskset -pc $$ | sed 's/.* //; s/[-,].*//') $$")


class Shell:
    """A shell in namespaces of its own, which are gone with it."""

    BEGIN = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm && echo ready && exec bash"
    DONE = b"the-command-is-done\n"

    def __init__(self, test):
        self.test = test
        # its own tmpfs at once: options of the machine's would be everybody's
        self.process = test.start("-min", "bash", "-c", self.BEGIN, command="/usr/bin/unshare")
        if b"ready" not in self.process.stdout.readline():
            _, err = self.process.communicate(timeout=cli.PATIENCE)
            cli.skip_or_fail(test, f"no namespaces can be made here: {err.decode()}")

    def run(self, command):
        """Runs a command in that shell itself, and returns what it printed."""
        self.process.stdin.write(f"{command}\necho {self.DONE.decode()}".encode())
        self.process.stdin.flush()
        return self.test.read_until(self.process.stdout, self.DONE).replace(self.DONE, b"")

    def look(self, check):
        finding, = json.loads(self.run(f"'{cli.NONET}' doctor --json --all {check}"))
        return finding


class Mends(cli.Case):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            cli.skip_or_fail(self, "to make it wrong takes root, in namespaces of the test's own")

    def mend(self, check, wrong):
        shell = Shell(self)
        shell.run(wrong)
        finding = shell.look(check)
        self.assertIn(finding["level"], ("note", "problem"), finding)
        if finding["mend"].startswith("docker run --ulimit"):  # the tests run in a container, whose root can't
            capabilities = int(shell.run("grep CapEff: /proc/$$/status").split()[1], 16)
            self.assertEqual(capabilities & 1 << 24, 0)  # CAP_SYS_RESOURCE
        else:
            shell.run(finding["mend"])
            self.assertEqual(shell.look(check)["level"], "ok", finding)
        self.assertEqual(self.finish(shell.process)[0], 0)

    def test_each_command_mends_what_it_is_said_to(self):
        for check, wrong in WRONG:
            with self.subTest(check=check, wrong=wrong):
                self.mend(check, wrong)

    def test_more_cpus(self):
        if len(os.sched_getaffinity(0)) == 1:
            cli.skip_or_fail(self, "this machine has one CPU")
        self.mend(*CPUS)


if __name__ == "__main__":
    cli.main()
