#!/usr/bin/env python3
"""mineseal on a real Kubernetes: installed, upgraded in mid-run, killed, drained, rolled back, taken away.

    test.py --programs target/release [--rounds base,upgrade] [--logs FOLDER]

Needs root, and what `scripts/setup.sh cluster` installs. Touches nothing on the machine but /var/tmp, the cache and
LOGS, where the logs stay when a check failed. The last line says how many checks passed and failed.
"""

import sys

from harness import with_cluster
from rounds import ROUNDS

if __name__ == "__main__":
    sys.exit(with_cluster(__doc__, ROUNDS, nodes=2))
