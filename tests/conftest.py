"""What holds for all tests."""

import os
import signal

# A runner in the background ignores interrupts, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Most tests compile for longer than they compute. With "false" they run as users do.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
