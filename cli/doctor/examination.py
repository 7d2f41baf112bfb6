"""One examination: everything that is looked at, in the order in which one would."""

from cli.doctor.agreement import judge_api, judge_schemas
from cli.doctor.finding import Finding, fail
from cli.doctor.look import look_at_api, look_at_ledger
from cli.doctor.replication import judge_replicas, judge_sentinels
from cli.doctor.server import judge_server
from cli.doctor.sight import ApiSight, LedgerSight
from cli.doctor.work import judge_work
from shared.server import redacted

ALIVE = "is it running, and do host, port and password hold? Until it answers nothing is accepted, and nothing is lost"


def examine(redis_url: str, api_url: str, key: str, *, api_is_named: bool, replicas: int = 0) -> list[Finding]:
    """Look at an installation; return what there is to say. Takes a few seconds at most, whatever is wrong.

    `api_is_named` says whether somebody said that the API is there, rather than it being where one would be by default;
    `replicas` how many must have a task before its client is told 202.

    Raises:
        UrlError: `redis_url` is no URL of a Redis.
    """
    ledger = look_at_ledger(redis_url)
    return judge(ledger, look_at_api(api_url, key, is_named=api_is_named), redacted(redis_url), replicas)


def judge(ledger: LedgerSight, api: ApiSight, place: str, replicas: int = 0) -> list[Finding]:
    """Return what follows from what was seen; `place` is what to call the server."""
    sentinels = judge_sentinels(ledger.sentinels)
    if ledger.server is None:
        return [fail("redis", f"{place} does not answer ({ledger.trouble})", ALIVE), *sentinels, judge_api(api)]
    info, config = ledger.server.info, ledger.server.config
    following = judge_replicas(info, config, replicas, are_watched=bool(sentinels))
    findings = [*judge_server(ledger.server), *following, *sentinels]
    if ledger.checkup is None:
        unread = fail("ledger", f"cannot be read ({ledger.trouble})", "the API and the workers cannot use it either")
        return [*findings, unread, judge_api(api)]
    models = ledger.checkup.models
    work = judge_work(ledger.checkup, tuple(api.shapes or ()))
    return [*findings, judge_api(api), *judge_schemas(api.shapes, models), *work]
