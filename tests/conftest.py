"""What holds for all tests."""

import signal

# A runner in the background ignores interrupts, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
