"""`python -m api.alive`: exit code 0 if the API of this machine (this container) answers, else 1. Asks no Redis.

For images that have no curl. It imports nothing of the API's, since it runs every few seconds.
"""

import http.client
import os
import sys

SECONDS = 2.0
REACHED_AT = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (nothing is bound)


def main() -> int:
    """Ask /livez, and return the exit code."""
    host = os.environ.get("PENSTOCK_API_HOST", "")
    port = int(os.environ.get("PENSTOCK_API_PORT") or 8000)
    connection = http.client.HTTPConnection(REACHED_AT.get(host, host), port, timeout=SECONDS)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except OSError as error:
        print(f"penstock api: port {port}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
