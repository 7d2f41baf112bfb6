"""Fetching what an input names by URL: from where the operator allows, within limits, and from nowhere inside."""

import time

import httpx2

from shared.outward import ForbiddenError, Rule, check_addresses, check_url, host_header, pinned, resolve

CONNECT_SECONDS, SILENCE_SECONDS, WHOLE_SECONDS = 5.0, 10.0, 30.0


class FetchError(ValueError):
    """It was not fetched. The message is one sentence that the client may read; it tells nothing of what is inside."""


class Fetcher:
    """What a model gets as `fetch`, if it takes one: a URL in, its bytes out."""

    def __init__(self, rules: tuple[Rule, ...], max_bytes: int) -> None:
        self._rules = rules
        self._max_bytes = max_bytes

    def __call__(self, url: str) -> bytes:
        """Return what is at `url`, as it is sent.

        Raises:
            FetchError: it may not be asked for, does not answer 200 in time, or is too large.
        """
        if not self._rules:
            raise FetchError("this server fetches nothing from a URL")
        try:
            return self._fetch(url)
        except ForbiddenError as error:
            raise FetchError(f"the URL was not fetched: {error}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
            raise FetchError("the URL could not be fetched") from None

    def _fetch(self, url: str) -> bytes:
        target, must_be_public = check_url(url, self._rules)
        addresses = resolve(target)
        check_addresses(addresses, must_be_public=must_be_public)
        give_up = time.monotonic() + WHOLE_SECONDS
        timeout = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        with (
            httpx2.Client(verify=httpx2.create_ssl_context(), trust_env=False, timeout=timeout) as http,
            http.stream(
                "GET",
                pinned(url, addresses[0]),
                headers={"Host": host_header(url), "User-Agent": "Penstock", "Accept-Encoding": "identity"},
                extensions={"sni_hostname": target.host},
                follow_redirects=False,
            ) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise FetchError(f"the URL answered {response.status_code}")
            return self._read(response, give_up)

    def _read(self, response: httpx2.Response, give_up: float) -> bytes:
        found = bytearray()
        for part in response.iter_raw():  # not decoded: a few bytes may unpack to many
            found += part
            if len(found) > self._max_bytes:
                raise FetchError(f"what is at the URL has more than {self._max_bytes} bytes")
            if time.monotonic() > give_up:
                raise FetchError("the URL took too long")
        return bytes(found)
