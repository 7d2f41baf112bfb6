"""Eight tasks, a whole batch of the crowd model, and what becomes of the children that compute them."""

from tests.integration.nodes import WorkerProcess

EIGHT = [str(n) for n in range(8)]
ALONE = [[token] for token in EIGHT]
LONG = {"PENSTOCK_LEASE_SECONDS": "600"}  # waiting for its end would be noticed


def eight(behave: str, at: int = 3) -> list[str]:
    """The behaviours of eight tasks, of which one does this."""
    return [behave if n == at else "succeed" for n in range(8)]


def kills(worker: WorkerProcess) -> list[str]:
    return [line["why"] for line in worker.events() if line["event"] == "killed the child"]
