"""The inbox page, the JSON beside it, and who may read them."""

from html.parser import HTMLParser

import pytest

from django_bandwidth_mfa.simulator import Simulator

from .client import FROM, TO, Api, Clock


class Page(HTMLParser):
    """The text and the elements of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def with_class(self, name: str) -> list[str]:
        return [tag for tag, attrs in self.elements if name in (attrs.get("class") or "").split()]


def test_the_root_leads_to_the_inbox(api: Api) -> None:
    answer = api.get("/", allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/inbox")


def test_an_empty_inbox_says_how_to_fill_it(api: Api) -> None:
    answer = api.get("/inbox")

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    texts = Page(answer.text).texts
    assert "No codes yet" in texts
    assert api.simulator.base_url in texts
    assert api.simulator.token_url in texts


def test_the_inbox_shows_messages_and_calls_newest_first(api: Api, clock: Clock) -> None:
    api.send()
    clock.now += 90
    api.send("voice")
    clock.now += 20

    page = Page(api.get("/inbox").text)
    call, text = api.simulator.inbox
    assert len(page.with_class("sms")) == len(page.with_class("voice")) == 1
    assert page.texts.index(call["code"]) < page.texts.index(text["code"])
    assert call["text"] in page.texts
    assert text["text"] in page.texts
    assert {"Phone call", "Text message", "2 messages", TO, f"from {FROM}"} <= set(page.texts)
    assert {"20 s ago", "14:14:50 UTC", "1 min ago", "14:13:20 UTC"} <= set(page.texts)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4, "just now"), (59, "59 s ago"), (3599, "59 min ago"), (7300, "2 h ago")],
)
def test_the_inbox_says_how_long_ago(api: Api, clock: Clock, seconds: int, words: str) -> None:
    api.send()
    clock.now += seconds

    assert words in Page(api.get("/inbox").text).texts


def test_the_inbox_reloads_without_javascript(api: Api) -> None:
    page = Page(api.get("/inbox").text)

    tags = [tag for tag, _ in page.elements]
    assert tags[tags.index("noscript") + 1] == "meta"
    assert page.elements[tags.index("noscript") + 1][1]["http-equiv"] == "refresh"


def test_text_from_a_request_cannot_become_markup(api: Api) -> None:
    """Fails when the page does not escape what a request holds."""
    attack = "<img src=x onerror=alert(1)>\"'&"
    api.send(message=f"{attack} {{CODE}}", scope="<i>'\"&amp;")
    api.send("voice", message=f"{attack} {{CODE}}", scope="<script>")

    page = Page(api.get("/inbox").text)
    assert "img" not in [tag for tag, _ in page.elements]
    assert [attrs for tag, attrs in page.elements if tag == "script"] == [
        {"src": "/inbox.js", "defer": None}
    ]
    assert f"{attack} {api.simulator.inbox[1]['code']}" in page.texts
    assert "<i>'\"&amp;" in page.texts


def test_a_lone_surrogate_does_not_break_the_page(api: Api) -> None:
    api.send(message="\ud800 {CODE}")

    assert api.get("/inbox").status_code == 200
    assert api.get("/inbox.json").json()[0]["text"].startswith("\ud800 ")


def test_the_page_may_run_its_own_files_only(api: Api) -> None:
    """Fails when the page has no policy, or its policy allows inline code or another origin."""
    answer = api.get("/inbox")

    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not [attrs for _, attrs in Page(answer.text).elements if "style" in attrs]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/inbox.css", "text/css; charset=utf-8"),
        ("/inbox.js", "text/javascript; charset=utf-8"),
    ],
)
def test_the_pages_files_are_served(api: Api, path: str, content_type: str) -> None:
    answer = api.get(path)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == content_type
    assert path in [
        attrs.get("href") or attrs.get("src") for _, attrs in Page(api.get("/inbox").text).elements
    ]


def test_inbox_json_is_the_inbox(api: Api) -> None:
    api.send()
    api.send("voice")

    messages = api.get("/inbox.json").json()
    assert messages == api.simulator.inbox
    assert set(messages[0]) == {"to", "from", "channel", "text", "code", "sent_at", "id"}


def test_requests_json_lists_the_requests_oldest_first(api: Api) -> None:
    api.send()
    api.post("verify", data="not json")
    api.get("/inbox")

    path = "/api/v1/accounts/5500001/code"
    listed = api.get("/requests.json").json()
    assert listed == api.simulator.requests
    assert [entry["path"] for entry in listed] == [f"{path}/messaging", f"{path}/verify"]
    assert listed[0]["body"]["to"] == TO
    assert listed[1]["body"] == "not json"
    assert listed[0]["at"] == "2026-09-21T14:13:20.000Z"


def test_requests_json_is_json_for_every_request(api: Api) -> None:
    api.post("verify", data='{"digits": NaN}', headers={"Content-Type": "application/json"})

    assert api.get("/requests.json").text.count("NaN") == 1
    assert api.simulator.requests[0]["body"] == {"digits": "NaN"}


def test_requests_json_shows_no_credentials(api: Api) -> None:
    """Fails when the simulator records headers, or values of unknown fields of the token form."""
    form = {"grant_type": "client_credentials", "client_secret": "hidden"}
    token = api.token(data=form).json()["access_token"]
    api.post("verify", json={}, auth=None, headers={"Authorization": f"Bearer {token}"})
    api.send()

    shown = api.get("/requests.json")
    assert shown.json()[0]["body"] == {
        "grant_type": "client_credentials",
        "client_secret": "********",
    }
    for secret in (token, "hidden", "sim-secret", "sim-password", "Authorization", "Basic"):
        assert secret not in shown.text


@pytest.mark.parametrize("path", ["/inbox", "/inbox.json", "/requests.json", "/inbox.css"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[evil]"])
def test_a_foreign_host_name_reads_nothing(api: Api, path: str, host: str) -> None:
    """Fails when the simulator accepts any Host header: DNS rebinding would then work."""
    api.send()
    answer = api.get(path, headers={"Host": host})

    assert answer.status_code == 421
    assert api.simulator.inbox[0]["code"] not in answer.text


def test_a_foreign_host_name_sets_no_faults(api: Api) -> None:
    """Fails when the Host header is checked only for GET: DNS rebinding could set faults."""
    answer = api.faults(json={"on": "all", "status": 500}, headers={"Host": "evil.example"})

    assert answer.status_code == 421
    assert api.send().status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8001", "sim.localhost", "127.0.0.1:9", "[::1]:8001"]
)
def test_names_of_this_machine_are_served(api: Api, host: str) -> None:
    assert api.get("/inbox", headers={"Host": host}).status_code == 200


def test_every_host_name_is_served_when_other_machines_may_connect() -> None:
    with Simulator(host="0.0.0.0") as simulator:  # noqa: S104 - what this test is about
        api = Api(simulator)
        with api.session:
            url = simulator.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
            answer = api.session.get(
                f"{url}/inbox.json", headers={"Host": "simulator:8001"}, timeout=5
            )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/inbox", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/inbox.html", 404),
        ("GET", "/../server.py", 404),
        ("POST", "/inbox", 405),
        ("GET", "/faults", 405),
    ],
)
def test_other_requests(api: Api, method: str, path: str, status: int) -> None:
    answer = api.session.request(method, api.simulator.url + path, timeout=5)

    assert answer.status_code == status
    assert bool(answer.content) is (method != "HEAD")
