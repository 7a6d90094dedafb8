"""Prints what passes a collector, over a WebSocket: python tap_ws.py 'ws://localhost:12001/v1/traces?error=true'."""

import sys

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


def main(url: str = "ws://localhost:12001/v1/tap") -> int:
    """Prints a line of OTLP/JSON for each message until the tap ends, and then why it did."""
    try:
        with connect(url, max_size=None) as tap:
            for message in tap:
                print(message, flush=True)
    except KeyboardInterrupt:
        return 0
    except InvalidStatus as refused:  # its body says what is wrong and what to write instead
        print((refused.response.body or b"").decode().strip() or refused, file=sys.stderr)
        return 1
    except (ConnectionClosed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(tap.close_reason, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
