"""The library from a language that has no C headers: everything is an exported function, nothing only inline."""

import argparse
import ctypes
import errno
import sys
import unittest

ARGS = None
NOW, FOREVER = 0, 2**63 - 1
STREAM, SEQPACKET = 1, 2


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("position", ctypes.c_int32), ("text", ctypes.c_char * 504)]


class Ctypes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pointer, size, time = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
        cls.nonet = nonet = ctypes.CDLL(ARGS.library)
        nonet.nonet_version.restype = nonet.nonet_error_name.restype = ctypes.c_char_p
        nonet.nonet_after.argtypes, nonet.nonet_after.restype = [time], time
        for kind in ("pipe", "unix"):
            getattr(nonet, f"nonet_{kind}_send").argtypes = [pointer, ctypes.c_char_p, size, time]
            getattr(nonet, f"nonet_{kind}_receive").argtypes = [pointer, pointer, size, time, pointer]
            close = getattr(nonet, f"nonet_{kind}_close")
            close.argtypes, close.restype = [pointer], pointer
        nonet.nonet_unix_pair.argtypes = [ctypes.c_int, pointer, pointer, pointer, pointer]
        nonet.nonet_pipe_new.argtypes = [pointer] * 4
        nonet.nonet_pipe_open.argtypes = [ctypes.c_char_p, ctypes.c_int, pointer, time, pointer, pointer]

    def exchange(self, kind, sender, receiver):
        send, receive = getattr(self.nonet, f"nonet_{kind}_send"), getattr(self.nonet, f"nonet_{kind}_receive")
        message = bytes(range(256)) * 8
        buffer, size = ctypes.create_string_buffer(4096), ctypes.c_size_t()
        self.assertEqual(receive(receiver, buffer, 4096, NOW, ctypes.byref(size)), -errno.EAGAIN)
        self.assertEqual(send(sender, message, len(message), self.nonet.nonet_after(10**10)), 0)
        self.assertEqual(receive(receiver, buffer, 16, FOREVER, ctypes.byref(size)), -errno.EMSGSIZE)
        self.assertEqual(receive(receiver, buffer, 4096, FOREVER, ctypes.byref(size)), 0)
        self.assertEqual(buffer.raw[: size.value], message)
        close = getattr(self.nonet, f"nonet_{kind}_close")
        self.assertIsNone(close(sender))
        self.assertEqual(receive(receiver, buffer, 4096, FOREVER, ctypes.byref(size)), -errno.EPIPE)
        self.assertIsNone(close(receiver))

    def test_unix_pair(self):
        for kind in (STREAM, SEQPACKET):
            a, b, error = ctypes.c_void_p(), ctypes.c_void_p(), Error()
            made = self.nonet.nonet_unix_pair(kind, None, ctypes.byref(a), ctypes.byref(b), ctypes.byref(error))
            self.assertEqual(made, 0, error.text)
            self.exchange("unix", a, b)

    def test_pipe(self):
        reader, writer, error = ctypes.c_void_p(), ctypes.c_void_p(), Error()
        made = self.nonet.nonet_pipe_new(None, ctypes.byref(reader), ctypes.byref(writer), ctypes.byref(error))
        self.assertEqual(made, 0, error.text)
        self.exchange("pipe", writer, reader)

    def test_an_error_has_its_sentence(self):
        pipe, error = ctypes.c_void_p(), Error()
        opened = self.nonet.nonet_pipe_open(b"/nowhere/fifo", 1, None, NOW, ctypes.byref(pipe), ctypes.byref(error))
        self.assertEqual((opened, error.code), (-errno.ENOENT, -errno.ENOENT))
        self.assertIn("/nowhere/fifo", error.text.decode())
        self.assertEqual(self.nonet.nonet_error_name(opened), b"-ENOENT")
        self.assertIsNone(pipe.value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    ARGS = parser.parse_args()
    unittest.main(argv=sys.argv[:1])
