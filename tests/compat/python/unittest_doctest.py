import doctest
import io
import unittest
from unittest import mock


def twice(n):
    """
    >>> twice(2)
    4
    """
    return 2 * n


class Test(unittest.TestCase):
    def test_twice(self):
        with mock.patch("os.getcwd", return_value="/nowhere"):
            import os
            self.assertEqual(os.getcwd(), "/nowhere")
        self.assertEqual(twice(3), 6)

    @unittest.skip("not now")
    def test_skipped(self):
        self.fail()


result = unittest.TextTestRunner(io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(Test))
assert result.wasSuccessful() and len(result.skipped) == 1
assert doctest.testmod() == (0, 1)

print("ok")
