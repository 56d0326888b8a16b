"""Reads a recording as other programs do: decodes every message by the schemas in the file.

    read_recording.py FILE.mcap

Prints the profile, the number of messages on each topic, and parts of the last status, as JSON.
"""

import json
import sys
from collections import Counter

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory


def main(path):
    """Decodes the whole file; any fault is an exception."""
    topics = Counter()
    last_status = None
    with open(path, "rb") as stream:
        reader = make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        for _, channel, _, message in reader.iter_decoded_messages():
            topics[channel.topic] += 1
            if channel.topic == "/f1/status":
                last_status = message
        written = summary.statistics.message_count
        if written != sum(topics.values()):
            raise SystemExit(f"{sum(topics.values())} messages decoded, the summary says {written}")
        stamp = last_status.header.stamp
        print(
            json.dumps(
                {
                    "profile": reader.get_header().profile,
                    "topics": topics,
                    "last_status": {
                        "instruction": last_status.instruction,
                        "chunks": last_status.chunks,
                        "stamp": stamp.sec * 10**9 + stamp.nanosec,
                    },
                }
            )
        )


if __name__ == "__main__":
    main(sys.argv[1])
