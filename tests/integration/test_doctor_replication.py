"""`penstock doctor` on a primary with replicas and sentinels, as they fail one after the other."""

from collections.abc import Iterator

import pytest

from tests.integration.test_doctor import examined, failed
from tests.sentinel import Replicated
from tests.waiting import eventually


@pytest.fixture
def group() -> Iterator[Replicated]:
    group = Replicated("--list-compress-depth", "1", replicas=1)
    yield group
    group.close()


def test_replicas_and_sentinels_that_fail(group: Replicated) -> None:
    code, found = examined(group.url)
    assert (code, failed(found)) == (0, [])
    assert found["replicas"]["found"] == "1 replica follows"
    assert "3 of 3 name 127.0.0.1:" in found["sentinels"]["found"]

    (replica,) = (server for server in group.servers if server is not group.primary)
    replica.kill()
    eventually(lambda: group.primary.client.info("replication")["connected_slaves"] == 0)
    code, found = examined(group.url, PENSTOCK_REPLICAS_ACK="1")
    assert (code, failed(found)) == (1, ["replicas"])
    assert "asks for 1" in found["replicas"]["found"]

    group.sentinels[0].kill()
    _, found = examined(group.url)
    assert (found["replicas"]["word"], found["sentinels"]["word"]) == ("warn", "warn")
    assert "2 of 3" in found["sentinels"]["found"]

    group.sentinels[1].kill()
    eventually(lambda: failed(examined(group.url)[1]) == ["sentinels"], within=30)  # they miss each other after a while

    group.sentinels[2].kill()
    _, found = examined(group.url)
    assert failed(found) == ["redis", "sentinels"]
    assert "none names a primary" in found["sentinels"]["found"]
