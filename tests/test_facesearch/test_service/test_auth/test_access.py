"""Who may do what: every address with each role and without, sessions, tokens, other sites."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.service.auth import accounts as accounts_module
from facesearch.service.auth.accounts import NAME_FAILURES, Accounts, LockedOutError
from facesearch.service.auth.roles import includes
from facesearch.service.auth.tokens import PREFIX
from facesearch.service.database import ServiceDatabase
from support.serving.services import (
    PASSWORD,
    QUICK,
    ROLES,
    ServedTest,
    clustered_gallery,
    open_service,
    served,
)

API = "/api/v1"


@pytest.fixture(scope="module")
def site(folder: Path, gallery: Gallery) -> Iterator[ServedTest]:
    with served(open_service(folder, gallery)) as site:
        site.service.accounts.add("ada", PASSWORD, "administer")
        yield site


@pytest.fixture(autouse=True)
def no_failures(site: ServedTest) -> None:
    with site.service.database.transaction() as connection:
        connection.execute("DELETE FROM failure")
    site.client.cookies.clear()


def operations(site: ServedTest) -> list[tuple[str, str, str]]:
    """Method, path and role of every address, as the description has them."""
    described = site.client.get(f"{API}/openapi.json").json()
    return [
        (method.upper(), path, operation["x-role"])
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def called(site: ServedTest, method: str, path: str, **options: Any) -> Any:
    """The answer to a request whose content makes no sense, so that nothing is changed by it."""
    values = {"gallery": "my", "person": "p999", "face": "999999", "photo": "999999",
              "job": "999999", "name": "nobody", "token": "t0", "suggestion": "none",
              "file": "none"}  # fmt: skip
    for name, value in values.items():
        path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
    if path.endswith("/events"):
        path += "?gallery=nowhere"  # else it would not end
    return site.client.request(method, path, **options)


def test_every_address_says_its_role(site: ServedTest) -> None:
    found = operations(site)
    assert len(found) > 50
    public = {(method, path) for method, path, role in found if role == "none"}
    assert public == {
        ("GET", f"{API}/health"),
        ("GET", f"{API}/auth"),
        ("POST", f"{API}/auth/login"),
        ("POST", f"{API}/auth/logout"),
    }
    changing = {role for method, _, role in found if method not in ("GET", "POST")}
    assert changing <= {"decide", "administer"}


@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_address_with_each_role_and_without(site: ServedTest, role: Any) -> None:
    headers = {} if role is None else site.as_role(role)
    for method, path, needed in operations(site):
        if needed == "none":
            continue
        answer = called(site, method, path, headers=headers)
        what = f"{method} {path} as {role}: {answer.status_code} {answer.text[:200]}"
        if role is None:
            assert answer.status_code == 401, what
            assert answer.headers["www-authenticate"] == "Bearer"
        elif includes(role, needed):
            assert answer.status_code not in (401, 403), what
        else:
            assert answer.status_code == 403, what
            assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer ",
        "Bearer x",
        f"Bearer {PREFIX}",
        f"Bearer {PREFIX}{'A' * 43}",
        "Basic YWRhOnBhc3N3b3Jk",
        "Bearer fsl_wrong",
        "Bearer \xff\xfe",
        "x" * 5000,
    ],
)
def test_forged_tokens_open_nothing(site: ServedTest, authorization: str) -> None:
    headers = {"Authorization": authorization.encode("latin-1")}
    assert site.client.get(f"{API}/galleries", headers=headers).status_code == 401


def test_a_token_that_was_changed_expired_or_revoked_opens_nothing(
    site: ServedTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, kept = site.service.tokens.make("a program", "view", "ada", 1)

    def status(of: str) -> int:
        answer = site.client.get(f"{API}/galleries", headers={"Authorization": f"Bearer {of}"})
        return int(answer.status_code)

    assert status(token) == 200
    assert status(token[:-1] + ("A" if token[-1] != "A" else "B")) == 401
    assert status(token.swapcase()) == 401
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda: now + 86401)
        assert status(token) == 401
    assert status(token) == 200
    site.service.tokens.revoke(kept.id)
    assert status(token) == 401
    with pytest.raises(InputError, match="no token"):
        site.service.tokens.revoke(kept.id)


def test_tokens_and_passwords_are_kept_as_digests(site: ServedTest) -> None:
    token, _ = site.service.tokens.make("hidden", "view", "ada", None)
    cookie = site.service.sessions.begin("ada")
    data = site.service.database.path.read_bytes()
    for secret in (token, token.removeprefix(PREFIX), cookie, PASSWORD):
        assert secret.encode() not in data
    assert site.service.database.path.stat().st_mode & 0o077 == 0


def log_in(site: ServedTest, password: str = PASSWORD, name: str = "ada") -> Any:
    return site.client.post(f"{API}/auth/login", json={"name": name, "password": password})


def test_a_session_lasts_from_login_to_logout(site: ServedTest) -> None:
    assert site.client.get(f"{API}/auth").json() == {
        "required": True, "user": None, "role": None, "csrf": None,
    }  # fmt: skip
    answer = log_in(site)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    csrf = answer.json()["csrf"]
    assert site.client.get(f"{API}/auth").json()["user"] == {"name": "ada", "role": "administer"}
    assert site.client.get(f"{API}/users").status_code == 200
    value = site.client.cookies["facesearch_session"]
    site.client.post(f"{API}/auth/logout", headers={"X-CSRF-Token": csrf})
    site.client.cookies.set("facesearch_session", value)
    assert site.client.get(f"{API}/users").status_code == 401


def test_sessions_expire(site: ServedTest, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(site)
    later = time.time() + site.service.sessions.seconds + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert site.client.get(f"{API}/galleries").status_code == 401


@pytest.mark.parametrize("sent", [None, "", "wrong", "\xe9"])
def test_other_sites_cannot_use_a_session(site: ServedTest, sent: str | None) -> None:
    log_in(site)
    headers = {} if sent is None else {"X-CSRF-Token": sent.encode("latin-1")}
    before = site.client.get(f"{API}/galleries/my/history").json()
    for path in ("galleries/my/people/p1/hide", "galleries/my/undo", "auth/logout", "users"):
        answer = site.client.post(f"{API}/{path}", json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert site.client.delete(f"{API}/users/ada", headers=headers).json()["code"] == "csrf"
    assert site.client.get(f"{API}/galleries/my/history").json() == before


def test_a_form_of_another_site_cannot_log_in(site: ServedTest) -> None:
    data = {"name": "ada", "password": PASSWORD}
    assert site.client.post(f"{API}/auth/login", data=data).status_code in (415, 422)
    text = '{"name": "ada", "password": "' + PASSWORD + '"}'
    answer = site.client.post(
        f"{API}/auth/login", content=text, headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code in (415, 422)


def test_who_fails_too_often_waits(site: ServedTest, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(NAME_FAILURES):
        assert log_in(site, "wrong password").status_code == 401
    answer = log_in(site)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    users = site.service.accounts
    assert users.locked_until("ada")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 16 * 60)
    assert log_in(site).status_code == 200
    assert users.locked_until("ada") is None


def test_an_address_that_tries_many_names_waits(site: ServedTest) -> None:
    answers = [log_in(site, "wrong password", f"name{number}") for number in range(21)]
    assert [each.status_code for each in answers] == [401] * 20 + [429]


def test_a_login_that_was_right_does_not_count(site: ServedTest) -> None:
    for _ in range(3 * NAME_FAILURES):
        assert log_in(site, "wrong password").status_code == 401
        assert log_in(site).status_code == 200


def test_a_new_password_ends_sessions(site: ServedTest) -> None:
    accounts = site.service.accounts
    accounts.add("ben", PASSWORD, "view")
    csrf = log_in(site, name="ben").json()["csrf"]
    old = site.client.cookies["facesearch_session"]
    body = {"old": PASSWORD, "new": "another long password"}
    headers = {"X-CSRF-Token": csrf}
    wrong = {**body, "old": "not this one"}
    assert site.client.post(f"{API}/auth/password", json=wrong, headers=headers).status_code == 401
    answer = site.client.post(f"{API}/auth/password", json=body, headers=headers)
    assert answer.status_code == 204
    assert site.client.get(f"{API}/galleries").status_code == 200  # with the new cookie
    site.client.cookies.clear()
    site.client.cookies.set("facesearch_session", old)
    assert site.client.get(f"{API}/galleries").status_code == 401
    accounts.remove("ben")


def test_accounts_by_whoever_administers(site: ServedTest) -> None:
    headers = site.as_role("administer")
    new = {"name": "cid", "password": PASSWORD, "role": "decide"}
    made = site.client.post(f"{API}/users", json=new, headers=headers)
    assert made.status_code == 201 and PASSWORD not in made.text
    again = site.client.post(f"{API}/users", json=new, headers=headers)
    assert again.status_code == 409
    changed = site.client.patch(f"{API}/users/cid", json={"role": "view"}, headers=headers)
    assert changed.json()["role"] == "view"
    assert site.client.delete(f"{API}/users/cid", headers=headers).status_code == 204
    assert site.client.delete(f"{API}/users/cid", headers=headers).status_code == 404
    last = site.client.delete(f"{API}/users/ada", headers=headers)
    assert last.status_code == 409 and "only account" in last.json()["detail"]
    short = site.client.post(f"{API}/users", json={**new, "password": "short"}, headers=headers)
    assert short.status_code == 409 and "10 to 1000" in short.json()["detail"]
    body = {"label": "a program", "role": "view", "expires_in_days": 30}
    token = site.client.post(f"{API}/tokens", json=body, headers=headers)
    assert token.status_code == 201
    theirs = {"Authorization": f"Bearer {token.json()['token']}"}
    assert site.client.get(f"{API}/galleries", headers=theirs).status_code == 200
    gone = site.client.delete(f"{API}/tokens/{token.json()['id']}", headers=headers)
    assert gone.status_code == 204
    assert site.client.get(f"{API}/galleries", headers=theirs).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8484", "127.0.0.1.evil.example", "", "localhost.evil"]
)
def test_other_names_for_this_machine_are_refused(site: ServedTest, host: str) -> None:
    headers = {**site.as_role("view"), "Host": host}
    answer = site.client.get(f"{API}/galleries", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1", "[::1]:8484"])
def test_names_of_this_machine_are_taken(site: ServedTest, host: str) -> None:
    headers = {**site.as_role("view"), "Host": host}
    assert site.client.get(f"{API}/galleries", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("192.0.2.7", {}),
        ("2001:db8::7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}),
        ("127.0.0.1", {"X-Real-IP": "192.0.2.7"}),
        ("127.0.0.1", {"Via": "1.1 proxy"}),
    ],
)
def test_without_accounts_nobody_comes_through_a_proxy(
    gallery: Gallery, tmp_path: Path, client: str, headers: dict[str, str]
) -> None:
    with served(open_service(tmp_path, gallery), client=(client, 1)) as site:
        state = site.client.get(f"{API}/auth", headers=headers).json()
        assert state == {"required": True, "user": None, "role": None, "csrf": None}
        assert site.client.get(f"{API}/galleries", headers=headers).status_code == 401
        sent = {**headers, **site.local()}
        answer = site.client.post(f"{API}/galleries/my/people/p1/hide", headers=sent)
        assert answer.status_code == 401


def test_without_accounts_whoever_is_here_may_all(tmp_path: Path) -> None:
    with served(open_service(tmp_path, clustered_gallery(tmp_path))) as site:
        state = site.client.get(f"{API}/auth").json()
        assert (state["required"], state["role"]) == (False, "administer")
        path = f"{API}/galleries/my/people/p1/hide"
        assert site.client.post(path).json()["code"] == "csrf"
        headers = {"X-CSRF-Token": state["csrf"]}
        assert site.client.post(path, headers=headers).status_code == 200
        new = {"name": "ada", "password": PASSWORD, "role": "view"}
        first = site.client.post(f"{API}/users", json=new, headers=headers)
        assert first.status_code == 409 and "administers" in first.json()["detail"]
        new["role"] = "administer"
        assert site.client.post(f"{API}/users", json=new, headers=headers).status_code == 201
        assert site.client.get(f"{API}/galleries").status_code == 401


def test_the_hash_is_argon2id_and_is_renewed(tmp_path: Path) -> None:
    database = ServiceDatabase(tmp_path)
    Accounts(database, QUICK).add("ada", PASSWORD, "view")
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    assert Accounts(database, stronger).verify("ada", PASSWORD, "here") is not None
    with database.transaction() as connection:
        (kept,) = connection.execute("SELECT password FROM account").fetchone()
    assert kept.startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert accounts_module.PasswordHasher().memory_cost >= 19 * 1024  # KiB, as OWASP has it
    with pytest.raises(LockedOutError):
        for _ in range(NAME_FAILURES + 1):
            Accounts(database, QUICK).verify("ada", "wrong", "here")
