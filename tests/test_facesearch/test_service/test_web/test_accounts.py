"""Accounts and tokens in the browser: what the page shows, and who the service lets in after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from facesearch.service.face_service import FaceService
from support.pages.browser import WatchedPages, chromium, needs_browser
from support.serving.services import PASSWORD, clustered_gallery, listening, open_service

sync_api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(1800)]

OTHER = "another horse battery"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def service(tmp_path: Path) -> FaceService:
    return open_service(tmp_path, clustered_gallery(tmp_path))


def expect_refusals(pages: WatchedPages) -> None:
    """The browser itself notes answers that say no; these were meant to."""
    pages.troubles[:] = [
        each
        for each in pages.troubles
        if not any(code in each for code in ("401", "403", "409", "422"))
    ]


def log_in(page: Any, name: str, password: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")
    page.get_by_role("navigation", name="Parts of the gallery").wait_for()


def go_to_accounts(page: Any) -> None:
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Accounts").click()
    page.get_by_role("heading", name="Who may use the service").wait_for()


def answers(address: str, token: str) -> int:
    """The status of what a program is answered that sends ``token``."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with urlopen(Request(f"{address}/api/v1/galleries", headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_the_first_account_administers_and_is_asked_for(browser: Any, service: FaceService) -> None:
    with listening(service) as address, WatchedPages(browser, address) as pages:
        page = pages.open()
        go_to_accounts(page)
        page.get_by_text("Nobody has to log in on this machine").wait_for()
        assert page.get_by_role("heading", name="Tokens").count() == 0
        page.get_by_label("Name", exact=True).fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Make the account").click()
        page.get_by_role("button", name="Log in").wait_for()
        assert [(each.name, each.role) for each in service.accounts.all()] == [
            ("ada", "administer")
        ]
        log_in(page, "ada", PASSWORD)
        page.get_by_label("Role of ada").wait_for()
        expect_refusals(pages)


def test_accounts_are_made_changed_and_removed(browser: Any, service: FaceService) -> None:
    service.accounts.add("ada", PASSWORD, "administer")
    with listening(service) as address, WatchedPages(browser, address) as pages:
        page = pages.open()
        log_in(page, "ada", PASSWORD)
        go_to_accounts(page)
        form = page.locator("form", has=page.get_by_role("button", name="Make the account"))
        form.get_by_label("Name", exact=True).fill("eve")
        form.get_by_label("Password").fill(PASSWORD)
        form.get_by_label("Role").select_option("decide")
        form.get_by_role("button", name="Make the account").click()
        role = page.get_by_label("Role of eve")
        role.wait_for()
        assert form.get_by_label("Password").input_value() == ""
        assert role.input_value() == "decide"

        role.select_option("view")
        page.get_by_text("eve may now look and search.").wait_for()
        found = service.accounts.find("eve")
        assert found is not None and found.role == "view"

        page.get_by_role("button", name="Password… of eve").click()
        dialog = page.get_by_role("dialog", name="Another password for eve")
        dialog.get_by_label("New password").fill(OTHER)
        dialog.get_by_role("button", name="Set the password").click()
        dialog.wait_for(state="detached")
        assert service.accounts.verify("eve", OTHER, "here") is not None

        # Somebody must be left who administers; what is refused is not shown.
        mine = page.get_by_label("Role of ada")
        mine.select_option("view")
        page.get_by_text("ada is the only account that administers").wait_for()
        page.wait_for_function("() => document.querySelector('select').value === 'administer'")

        page.get_by_role("button", name="Remove… eve").click()
        dialog = page.get_by_role("dialog", name="Remove eve")
        dialog.get_by_role("button", name="Cancel").click()
        assert service.accounts.find("eve") is not None
        page.get_by_role("button", name="Remove… eve").click()
        dialog.get_by_role("button", name="Remove eve").click()
        role.wait_for(state="detached")
        assert service.accounts.find("eve") is None
        expect_refusals(pages)


def test_a_token_is_shown_once_and_revoked(browser: Any, service: FaceService) -> None:
    service.accounts.add("ada", PASSWORD, "administer")
    with listening(service) as address, WatchedPages(browser, address) as pages:
        page = pages.open()
        log_in(page, "ada", PASSWORD)
        go_to_accounts(page)
        form = page.locator("form", has=page.get_by_role("button", name="Make the token"))
        form.get_by_label("For what").fill("the archive")
        assert form.get_by_label("Expires").locator("option:checked").text_content() == "in 90 days"
        form.get_by_role("button", name="Make the token").click()
        field = page.get_by_label("The token for the archive.")
        field.wait_for()
        token = field.input_value()
        assert answers(address, token) == 200
        sync_api.expect(field).to_be_focused()
        (kept,) = service.tokens.all()
        assert kept.expires_at is not None and kept.role == "view" and kept.created_by == "ada"
        assert round(kept.expires_at - kept.created_at) == 90 * 24 * 3600

        page.get_by_role("button", name="I have it").click()
        sync_api.expect(field).to_have_count(0)
        page.reload()
        page.get_by_role("rowheader", name="the archive").wait_for()
        sync_api.expect(field).to_have_count(0)

        page.get_by_role("button", name="Revoke… the archive").click()
        dialog = page.get_by_role("dialog", name="Revoke the archive")
        dialog.get_by_role("button", name="Revoke the archive").click()
        page.get_by_role("region", name="Table of tokens").wait_for(state="detached")
        assert answers(address, token) == 401
        assert service.tokens.all() == []


def test_who_looks_has_no_accounts_page_and_changes_their_password(
    browser: Any, service: FaceService
) -> None:
    service.accounts.add("ada", PASSWORD, "administer")
    service.accounts.add("eve", PASSWORD, "decide")
    with listening(service) as address, WatchedPages(browser, address) as pages:
        page = pages.open()
        log_in(page, "eve", PASSWORD)
        page.get_by_role("button", name="More", exact=True).click()
        assert page.get_by_role("menuitem", name="Accounts").count() == 0
        page.keyboard.press("Escape")
        page.goto(f"{address}/#/g/my/accounts")
        page.get_by_role("alert").get_by_text("This needs the role administer").wait_for()

        page.goto(f"{address}/#/g/my/settings")
        page.get_by_label("Present password").fill("wrong")
        page.get_by_label("New password").fill(OTHER)
        page.get_by_role("button", name="Change the password").click()
        page.get_by_text("The present password is wrong.").wait_for()
        page.get_by_label("Present password").fill(PASSWORD)
        page.get_by_role("button", name="Change the password").click()
        page.get_by_text("The password is changed.").wait_for()
        assert service.accounts.verify("eve", OTHER, "here") is not None

        # It is a new session: the page has its token, so decisions are still taken.
        page.goto(f"{address}/#/g/my/person/p1")
        page.get_by_role("button", name="Add a name").click()
        page.keyboard.type("Ada")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Ada").wait_for()
        expect_refusals(pages)
