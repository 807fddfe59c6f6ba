# SPDX-License-Identifier: Apache-2.0
"""--json: valid, and with the documented keys."""

import base64
import json
import os

import cli


class Json(cli.Case):
    def received(self, data, *options):
        return cli.json_lines(self.transfer("unix", data, options, ("--json",)))

    def test_text_is_text(self):
        self.assertEqual(self.received("one\n\u00e9\u4e2d\n\n\"\\\n".encode()),
                         [{"size": 3, "text": "one"}, {"size": 5, "text": "\u00e9\u4e2d"}, {"size": 0, "text": ""},
                          {"size": 2, "text": "\"\\"}])

    def test_a_nul_byte_is_text(self):
        self.assertEqual(self.received(b"a\0b", "--whole"), [{"size": 3, "text": "a\0b"}])

    def test_what_is_not_utf8_is_base64(self):
        for size in range(1, 7):
            data = b"\xff" * (size - 1) + b"\xc0"
            self.assertEqual(self.received(data, "--whole"),
                             [{"size": size, "data": base64.b64encode(data).decode()}])
        data = bytes(range(256))
        self.assertEqual(self.received(data, "--whole"), [{"size": 256, "data": base64.b64encode(data).decode()}])

    def test_a_large_message(self):
        data = b"x" * (2 << 20)
        self.assertEqual(self.received(data, "--whole"), [{"size": len(data), "text": data.decode()}])

    def test_the_summary_of_send(self):
        for carrier in ("unix", "fifo"):
            address = self.address(carrier)
            receiver = self.start("recv", "--listen", "--timeout", cli.BOUND, address)
            sent = self.nonet("send", "--json", "--timeout", cli.BOUND, address, stdin=b"one\ntwo\n")
            self.assertEqual(sent.returncode, 0)
            summary = json.loads(sent.stdout)
            self.assertEqual(set(summary), {"address", "messages", "bytes", "seconds"})
            self.assertEqual((summary["address"], summary["messages"], summary["bytes"]), (address, 2, 6))
            self.assertGreaterEqual(summary["seconds"], 0)
            self.assertEqual(self.finish(receiver)[0], 0)

    def test_the_summary_of_one_who_listens_has_the_address_that_was_given(self):
        sender = self.start("send", "--listen", "--json", "--bytes", "--timeout", cli.BOUND, self.address("unix"))
        receiver = self.start("recv", "--bytes", "--timeout", cli.BOUND, self.address("unix"))
        status, out, err = self.finish(sender, b"12345")
        self.assertEqual((status, err), (0, b""))
        summary = json.loads(out)
        self.assertEqual((summary["address"], summary["messages"], summary["bytes"]),
                         (self.address("unix"), None, 5))
        self.assertEqual(self.finish(receiver)[1], b"12345")

    def test_the_summary_tells_how_far_it_came(self):
        reader, writer = os.pipe()
        sent = self.nonet("send", "--json", "--max-size", "3", f"fd:{writer}", stdin=b"one\ntwo\nthree\nfour\n",
                          pass_fds=(writer,))
        os.close(reader)
        os.close(writer)
        self.assertEqual(sent.returncode, 1)
        self.assertIn("line 3 ", self.one_line(sent.stderr))
        self.assertEqual(json.loads(sent.stdout)["messages"], 2)


if __name__ == "__main__":
    cli.main()
