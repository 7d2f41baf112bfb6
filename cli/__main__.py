"""The console script `penstock`."""

import signal


def main() -> None:
    """Run the command line and exit. A Ctrl-C during the imports ends it silently: nothing was started yet."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a background job ignores SIGINT
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cli.app import app  # noqa: PLC0415  (the imports are most of the start-up time, see above)

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app(prog_name="penstock")


if __name__ == "__main__":
    main()
