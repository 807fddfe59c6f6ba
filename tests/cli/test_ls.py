# SPDX-License-Identifier: Apache-2.0
"""nonet ls and nonet show: what is there, what it is, and what couldn't be looked at."""

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
import unittest

import cli

LIBC = ctypes.CDLL(None, use_errno=True)
IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0

# Takes a classic lock, and then waits for one that is taken.
WAITS = """
import fcntl, sys
own, taken = open(sys.argv[1], "r+"), open(sys.argv[2], "r+")
fcntl.lockf(own, fcntl.LOCK_SH, 5, 10)
print("held", flush=True)
fcntl.flock(taken, fcntl.LOCK_EX)
"""


class Ls(cli.Case):
    def objects(self, *arguments, **options):
        result = self.nonet("ls", "--json", *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def find(self, address, *arguments):
        found = [entry for entry in self.objects(*arguments)["objects"] if entry["address"] == address]
        self.assertEqual(len(found), 1, address)
        return found[0]

    def semaphores(self, count):
        key = 0x4F000000 | os.getpid() & 0xFFFFFF
        number = LIBC.semget(key, count, IPC_CREAT | IPC_EXCL | 0o620)
        self.assertGreaterEqual(number, 0)
        self.addCleanup(LIBC.semctl, number, 0, IPC_RMID)
        return key, number

    def test_a_set_is_listed_by_its_key_and_shown_by_key_id_and_path(self):
        key, number = self.semaphores(4)
        listed = self.find(f"sysvsem:{key:#010x}", "semaphores")
        self.assertEqual((listed["id"], listed["mode"], listed["semaphores"]), (number, "0620", 4))
        for name in (listed["address"], f"sysvsem:{key}", f"sysvsem:{key:#x}", f"sysvsem:id={number}", f"sysvsem:{key}[2]"):
            shown = json.loads(self.nonet("show", "--json", name).stdout)
            self.assertEqual((shown["address"], shown["id"]), (listed["address"], number))
        text = self.nonet("show", f"sysvsem:{key}").stdout.decode()
        self.assertRegex(text, r"(?m)^mode +0620$")
        self.assertRegex(text, r"(?m)^notes +4 semaphores$")
        self.assertRegex(text, r"(?m)^permits +0 0 0 0$")

    def test_no_line_ends_in_a_blank(self):
        path = self.path("notes")
        os.mkfifo(path)
        number = LIBC.msgget(0x4D000000 | os.getpid() & 0xFFFFFF, IPC_CREAT | IPC_EXCL | 0o600)
        self.addCleanup(LIBC.msgctl, number, IPC_RMID, None)
        lines = self.nonet("ls", "queues", "fifos").stdout.decode().splitlines()
        self.assertTrue(any("nobody has it open" in line for line in lines), "a line with notes")
        self.assertTrue(any(line.endswith("s") and "sysvmsg" in line for line in lines), "a line without")
        self.assertEqual([line for line in lines if line != line.rstrip()], [])

    def test_the_permits_of_a_set_are_shown_all_or_one(self):
        key, _ = self.semaphores(20)
        for index in (0, 15, 19):
            self.assertEqual(self.nonet("post", f"sysvsem:{key}[{index}]", str(index + 1)).returncode, 0)
        values = [index + 1 if index in (0, 15, 19) else 0 for index in range(20)]
        self.assertEqual(json.loads(self.nonet("show", "--json", f"sysvsem:{key}").stdout)["values"], values)
        one = json.loads(self.nonet("show", "--json", f"sysvsem:{key}[19]").stdout)
        self.assertEqual((one["index"], one["value"]), (19, 20))
        self.assertNotIn("values", one)
        text = self.nonet("show", f"sysvsem:{key}").stdout.decode()
        self.assertIn(f"permits {' '.join(map(str, values[:16]))} ...\n", text)
        self.assertIn("permits 20\n", self.nonet("show", f"sysvsem:{key}[19]").stdout.decode())
        result = self.nonet("show", f"sysvsem:{key}[20]")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"the set has 20 semaphores, the last is [19]", result.stderr)

    def test_path_and_project_are_a_key(self):
        path = self.path("key")
        open(path, "w", encoding="ascii").close()
        key = LIBC.ftok(path.encode(), 7) & 0xFFFFFFFF
        number = LIBC.msgget(ctypes.c_int(key), IPC_CREAT | IPC_EXCL | 0o600)
        self.assertGreaterEqual(number, 0)
        self.addCleanup(LIBC.msgctl, number, IPC_RMID, None)
        shown = json.loads(self.nonet("show", "--json", f"sysvmsg:{path}#7").stdout)
        self.assertEqual((shown["id"], shown["address"]), (number, f"sysvmsg:{key:#010x}"))
        result = self.nonet("show", f"sysvmsg:{self.path('none')}#7")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"of which the key", result.stderr)

    def test_a_name_left_behind_is_told_from_one_in_use(self):
        live, left = self.path("live"), self.path("left")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(live)
            listener.listen()
            with socket.socket(socket.AF_UNIX) as gone:
                gone.bind(left)
            self.assertTrue(self.find(f"unix:{live}", "sockets")["listening"])
            self.assertEqual(self.find(f"unix:{live}", "sockets")["processes"], 1)
            self.assertTrue(self.find(f"unix:{left}", "sockets")["stale"])
            self.assertIn(b"nobody has it open", self.nonet("show", f"unix:{left}").stdout)

    def locks(self):
        """A file with a classic lock of another process, and one with a flock of ours, which that waits for."""
        own, taken = self.path("own"), self.path("taken")
        for path in (own, taken):
            open(path, "w", encoding="ascii").close()
        file = open(taken, "r+", encoding="ascii")
        self.addCleanup(file.close)
        fcntl.flock(file, fcntl.LOCK_EX)
        process = self.start("-c", WAITS, own, taken, command=sys.executable)
        self.read_until(process.stdout, b"held\n")
        self.until(lambda: self.waits(process.pid), "it waits")
        return own, taken, process.pid

    @staticmethod
    def waits(pid):
        with open("/proc/locks", encoding="ascii") as file:
            return any(line.split()[1] == "->" and line.split()[5] == str(pid) for line in file)

    def test_locks_are_listed_with_their_holder_and_range(self):
        own, taken, pid = self.locks()
        listed = self.find("posixlock:" + own, "locks")
        self.assertEqual({**listed, "address": ""}, {"address": "", "kind": "posixlock", "start": 10, "length": 5,
                                                     "holder": pid, "shared": True, "waiters": 0})
        listed = self.find("flock:" + taken, "locks")
        self.assertEqual({**listed, "address": ""}, {"address": "", "kind": "flock", "start": 0, "length": 0,
                                                     "holder": os.getpid(), "shared": False, "waiters": 1})
        table = self.nonet("ls", "locks").stdout.decode()
        self.assertRegex(table, rf"(?m)^posixlock:{own} .*held by {pid}, shared, bytes 10 to 14$")
        self.assertRegex(table, rf"(?m)^flock:{taken} .*held by {os.getpid()}, exclusive, 1 waits$")
        self.assertNotIn("posixlock:", self.nonet("ls", "flock").stdout.decode())

    def test_all_who_have_a_lock_or_wait_for_it_are_shown(self):
        own, taken, pid = self.locks()
        with open(own, "r+", encoding="ascii") as file:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
            for scheme in ("ofdlock", "posixlock"):
                shown = json.loads(self.nonet("show", "--json", f"{scheme}:{own}").stdout)
                self.assertEqual(set(shown), {"address", "kind", "holders", "coverage"})
                self.assertEqual([(entry["kind"], entry["pid"], entry["start"], entry["length"], entry["shared"],
                                   entry["waits"]) for entry in shown["holders"]],
                                 [("ofdlock", os.getpid(), 0, 0, True, False),
                                  ("posixlock", pid, 10, 5, True, False)])
            # Of this range only one.
            shown = json.loads(self.nonet("show", "--json", f"posixlock:{own},0+5").stdout)
            self.assertEqual([entry["pid"] for entry in shown["holders"]], [os.getpid()])
        text = self.nonet("show", f"flock:{taken}").stdout.decode()
        self.assertRegex(text, rf"(?m)^holder +process {os.getpid()} \(.+\): flock, exclusive$")
        self.assertRegex(text, rf"(?m)^waiter +process {pid} \(.+\): flock, exclusive$")

    def test_a_file_that_nobody_locks_and_one_that_is_not_there(self):
        path = self.path("free")
        open(path, "w", encoding="ascii").close()
        done = self.nonet("show", f"ofdlock:{path}")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"nobody has it", done.stdout)
        done = self.nonet("show", f"ofdlock:{path}-none")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.one_line(done.stderr)

    def test_a_holder_that_has_a_rude_name(self):
        path = self.path("lock")
        script = "import fcntl, sys; open('/proc/self/comm', 'wb').write(b'a\\x1b[2J\\xff'); " \
                 "file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True); " \
                 "sys.stdin.read()"
        process = self.start("-c", script, path, command=sys.executable)
        self.read_until(process.stdout, b"held\n")
        done = self.nonet("show", f"flock:{path}")
        self.assertIn(b"(a?[2J?)", done.stdout)
        shown = json.loads(self.nonet("show", "--json", f"flock:{path}").stdout)
        self.assertEqual(shown["holders"][0]["name"], "a?[2J?")

    def test_kinds_choose(self):
        self.semaphores(1)
        kinds = {entry["kind"] for entry in self.objects("semaphores")["objects"]}
        self.assertTrue(kinds and kinds <= {"posixsem", "sysvsem", "semaphore"}, kinds)
        table = self.nonet("ls", "semaphores").stdout.decode()
        self.assertRegex(table, r"\AADDRESS +OWNER +MODE")
        result = self.nonet("ls", "queuse")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b'did you mean "queues"?', result.stderr)
        self.assertIn(b'did you mean "event"?', self.nonet("ls", "events").stderr)

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_others_are_told_what_they_cant_see(self):
        done = self.nonet_as(cli.NOBODY, "ls", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        coverage = json.loads(done.stdout)["coverage"]
        self.assertGreater(coverage["unreadable"], 0)
        self.assertGreater(coverage["processes"], coverage["unreadable"])
        text = self.nonet_as(cli.NOBODY, "ls", "sockets").stdout.decode()
        self.assertRegex(text, r"\d+ of \d+ processes couldn't be looked into")

    def test_what_isnt_there_and_what_cant_be_shown(self):
        result = self.nonet("show", "sysvmsg:0x7ffffffe")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b'"nonet ls sysvmsg" lists', result.stderr)
        self.assertEqual(self.nonet("show", "tcp:localhost:1").returncode, 2)
        self.assertEqual(self.nonet("show").returncode, 2)
        self.assertEqual(self.nonet("show", "sysvmsg:0").returncode, 2)

    def test_a_reader_that_leaves_is_no_failure(self):
        read, write = os.pipe()
        os.close(read)
        result = self.nonet("ls", "--json", stdout=write)
        os.close(write)
        self.assertEqual((result.returncode, result.stderr), (-13, b""))


if __name__ == "__main__":
    cli.main()
