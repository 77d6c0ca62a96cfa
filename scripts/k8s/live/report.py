"""Named checks: a line for each, and what came out of all of them."""

import contextlib
import sys
import time
import traceback

from box import Failed


def say(text):
    print(text, flush=True)


class Report:
    def __init__(self):
        self.began = time.monotonic()
        self.passed, self.failed = [], []

    @contextlib.contextmanager
    def check(self, name):
        """What fails inside fails this check and no other. Yields a list for what is worth telling."""
        began, details = time.monotonic(), []
        try:
            yield details
        except Exception as error:  # whatever it is, the other checks go on
            self.failed.append(name)
            say(f"FAILED {name} ({time.monotonic() - began:.0f} s): {type(error).__name__}: {error}")
            if not isinstance(error, Failed | AssertionError):
                traceback.print_exc(file=sys.stdout)
        else:
            self.passed.append(name)
            say(f"ok     {name} ({time.monotonic() - began:.0f} s){''.join(f'; {detail}' for detail in details)}")

    def close(self):
        """The last line, and the exit code."""
        say(f"{time.monotonic() - self.began:.0f} s in all")
        say(f"{len(self.passed)} passed, {len(self.failed)} failed")
        return 0 if self.passed and not self.failed else 1
