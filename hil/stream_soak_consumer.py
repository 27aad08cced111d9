"""The back end of the soak, a process of its own that may be killed: the consumer and its SQLite database.

python -m hil.stream_soak_consumer URL DATABASE COUNTS
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edge.config.live_schema import UplinkOptions
from edge.stream.consumer import ConsumerLimits
from edge.stream.consumer_mqtt import MqttConsumer
from edge.stream.consumer_store import ConsumerStore

CLIENT_ID = "soak-back-end"
LIMITS = ConsumerLimits(patience_s=1.0, most_patience_s=5.0, quiet_s=5.0)
_COUNTS_EVERY_S = 0.2


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM. What it has counted is in a file of its own in the folder COUNTS, also after a kill."""
    url, database, folder = arguments
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ConsumerStore(Path(database)) as store:
        consumer = MqttConsumer(UplinkOptions(broker=url), CLIENT_ID, store.handle, store.state(), limits=LIMITS)
        counts = Path(folder) / f"{os.getpid()}.json"

        def keep_counts() -> None:
            while not stop.wait(_COUNTS_EVERY_S):
                write_counts()

        def write_counts() -> None:
            new = counts.with_suffix(".new")
            new.write_text(json.dumps(asdict(consumer.counts)))
            new.replace(counts)

        threading.Thread(target=keep_counts, daemon=True).start()
        consumer.run(stop)
        write_counts()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
