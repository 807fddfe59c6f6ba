# SPDX-License-Identifier: Apache-2.0
"""nonet ls and nonet show: what is there, what it is, and what couldn't be looked at."""

import ctypes
import json
import os
import socket
import unittest

import cli

LIBC = ctypes.CDLL(None, use_errno=True)
IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0


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
        listed = self.find(f"sysvsem:{key}", "semaphores")
        self.assertEqual((listed["id"], listed["mode"], listed["semaphores"]), (number, "0620", 4))
        for name in (f"sysvsem:{key:#x}", f"sysvsem:id={number}", f"sysvsem:{key}[2]"):
            shown = json.loads(self.nonet("show", "--json", name).stdout)
            self.assertEqual((shown["address"], shown["id"]), (listed["address"], number))
        text = self.nonet("show", f"sysvsem:{key}").stdout.decode()
        self.assertRegex(text, r"(?m)^mode +0620$")
        self.assertRegex(text, r"(?m)^notes +4 semaphores$")
        self.assertRegex(text, r"(?m)^permits +0 0 0 0$")

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
        self.assertEqual(shown["id"], number)
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

    def test_kinds_choose(self):
        self.semaphores(1)
        kinds = {entry["kind"] for entry in self.objects("semaphores")["objects"]}
        self.assertTrue(kinds and kinds <= {"posixsem", "sysvsem"}, kinds)
        table = self.nonet("ls", "semaphores").stdout.decode()
        self.assertRegex(table, r"\AADDRESS +OWNER +MODE")
        result = self.nonet("ls", "queuse")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b'did you mean "queues"?', result.stderr)

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_others_are_told_what_they_cant_see(self):
        def become_nobody():
            os.setgid(65534)
            os.setuid(65534)

        os.chmod(self.dir, 0o755)
        coverage = self.objects(preexec_fn=become_nobody)["coverage"]
        self.assertGreater(coverage["unreadable"], 0)
        self.assertGreater(coverage["processes"], coverage["unreadable"])
        text = self.nonet("ls", "sockets", preexec_fn=become_nobody).stdout.decode()
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
