"""/docs in a real browser: it shows without the network, and the example it offers works when it is sent."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.integration.client import Client

# Without these, Chromium looks up hosts of its maker at every start.
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "no Chromium is installed (Debian: apt-get install chromium)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser.new_page()
        browser.close()


def test_the_page_needs_no_other_host_and_its_example_is_accepted(client: Client, page: Page) -> None:
    home = str(client.http.base_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(home)

    operation = page.locator("#operations-task-submit_wait")
    operation.click()
    operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table .response-col_status").last
    assert status.inner_text(timeout=10_000).startswith("202")
    assert '"status": "queued"' in operation.locator(".live-responses-table").inner_text()
    assert [url for url in asked if not url.startswith((home, "data:"))] == []
