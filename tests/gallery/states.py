"""The table of the states of the pages, with the steps that lead to each state.

The steps are those of a person: they use the demo's pages, and the simulator's faults where
something has to fail.  They find elements by name and address, never by their words, so the same
steps work in each language.  Where a person would wait for minutes, or type a hundred wrong codes,
the steps change a row of the database; ``rows_changed`` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from playwright.sync_api import Locator, Page

from tests.browser.demo import PASSWORD, Member

from .sites import Site

SEND_FORM = "form.mfa-send"

# Send a form as its first button does, past the scripts.
PRESS_FIRST = """form => {
    const button = form.querySelector("button");
    const field = document.createElement("input");
    Object.assign(field, {type: "hidden", name: button.name, value: button.value});
    form.append(field);
    form.submit();
}"""


@dataclass
class Visit:
    """A person in front of a page."""

    page: Page
    site: Site
    who: Member
    """A member with a phone."""
    newcomer: Member
    """A person without a phone."""
    other: Member
    """A second phone, and the person who carries it."""
    javascript: bool = True

    # What people do ---------------------------------------------------------------------------

    def open(self, path: str) -> None:
        self.page.goto(f"{self.site.url}{path}")

    def press(self, what: str | Locator) -> None:
        """Press a button or a link, and wait for the page that answers."""
        target = self.page.locator(what).first if isinstance(what, str) else what
        with self.page.expect_navigation():
            target.click()

    def fill(self, name: str, text: str) -> None:
        """Fill in the field ``name``, and send its form."""
        field = self.page.locator(f"input[name={name}]").first
        field.fill(text)
        with self.page.expect_navigation():
            field.press("Enter")

    def give_password(self, who: Member | None = None, next_: str = "/account/") -> None:
        self.open(f"/accounts/login/?next={next_}")
        self.page.locator("input[name=username]").fill((who or self.who).username)
        self.fill("password", PASSWORD)

    def newest(self, who: Member | None = None) -> str:
        code: str = self.site.messages((who or self.who).number)[0]["code"]
        return code

    def type_code(self, code: str) -> None:
        self.fill("code", code)

    def type_wrong_codes(self, many: int) -> None:
        code = self.newest()
        for n in range(1, many + 1):
            self.type_code(f"{(int(code) + n) % 10 ** len(code):0{len(code)}}")

    def sign_in(self) -> None:
        self.give_password()
        self.type_code(self.newest())

    def send(self, channel: str = "sms") -> None:
        """Press the button that sends another code."""
        self.press(f"{SEND_FORM} button[value={channel}]")

    def add_phone(self, who: Member) -> None:
        self.fill("number", who.number)
        self.type_code(self.newest(who))

    def make_recovery_codes(self) -> list[str]:
        """Make new recovery codes, and return them from the page that shows them."""
        self.open("/mfa/recovery-codes/")
        self.press("form[action$='/recovery-codes/'] button")
        return self.page.locator(".mfa-codes li").all_inner_texts()

    def leave_site(self) -> None:
        """Come back as a new visitor."""
        self.page.context.clear_cookies()

    def set_cookie(self, name: str, value: str = "yes") -> None:
        """Set a cookie that the gallery's site knows (``sites.py``)."""
        cookie = {"name": name, "value": value, "url": self.site.url}
        self.page.context.add_cookies([cookie])  # type: ignore[list-item]

    @contextmanager
    def fault(self, **fault: object) -> Iterator[None]:
        """Return a context in which Bandwidth fails."""
        self.site.fault(**fault)
        try:
            yield
        finally:
            self.site.fault()

    # What is changed in the database ----------------------------------------------------------

    def forget_limits(self) -> None:
        self.site.change_rows("DELETE FROM bandwidth_mfa_bucket")

    def expire_code(self) -> None:
        """Shorten the life of the last code to one second, and wait until the code has expired."""
        self.site.change_rows(
            "UPDATE bandwidth_mfa_challenge SET expires_at = datetime(sent_at, '+1 second') "
            "WHERE user_id = (SELECT id FROM auth_user WHERE username = ?)",
            self.who.username,
        )
        self.page.wait_for_timeout(1100)

    def set_wrong_codes(self, many: int) -> None:
        self.site.change_rows(
            "UPDATE bandwidth_mfa_secondfactor SET failures = ? WHERE user_id = (SELECT id FROM "
            "auth_user WHERE username = ?)",
            many,
            self.who.username,
        )

    def age_session(self, seconds: int) -> None:
        [key] = (one["value"] for one in self.page.context.cookies() if one["name"] == "sessionid")
        self.site.age_session(key, seconds)


Reach = Callable[[Visit], None]


@dataclass(frozen=True)
class State:
    """One state of one page."""

    name: str
    reach: Reach
    site: str
    shows: str
    """A CSS selector of something that the page shows in this state."""
    says: str
    """The ``data-state`` of a code page; empty for the other pages."""
    rows_changed: str = ""
    """Which rows of the database are changed on the way; empty where none is."""
    is_staffs: bool = False
    """A page of the admin, whose words are not in every language."""

    @property
    def shown(self) -> tuple[str, ...]:
        """CSS selectors of what the page shows."""
        return (
            (self.shows, f".bandwidth-mfa[data-state={self.says}]") if self.says else (self.shows,)
        )

    @property
    def how(self) -> str:
        """The steps, in words."""
        return (self.reach.__doc__ or "").strip()


STATES: list[State] = []


def state(
    name: str,
    *,
    site: str = "patient",
    shows: str = ".bandwidth-mfa",
    says: str = "",
    rows_changed: str = "",
    is_staffs: bool = False,
) -> Callable[[Reach], Reach]:
    """Add a function to :data:`STATES`: it reaches the state, and its docstring says how."""

    def add(reach: Reach) -> Reach:
        STATES.append(State(name, reach, site, shows, says, rows_changed, is_staffs))
        return reach

    return add


ERROR = ".mfa-error"


# The code page: sent ------------------------------------------------------------------------


@state(
    "code sent",
    says="sent",
)
def _(visit: Visit) -> None:
    """Give the password."""
    visit.give_password()


@state(
    "code sent, in the cooldown",
    says="sent",
    site="cooldown",
)
def _(visit: Visit) -> None:
    """Give the password where another code takes 30 seconds."""
    visit.give_password()


@state(
    "code sent, browsers can be trusted", says="sent", site="trusting", shows="input[name=trust]"
)
def _(visit: Visit) -> None:
    """Give the password where browsers can be trusted."""
    visit.give_password()


@state(
    "another code sent",
    says="sent",
)
def _(visit: Visit) -> None:
    """Give the password, ask for another code."""
    visit.give_password()
    visit.send()


@state(
    "calling",
    says="sent",
)
def _(visit: Visit) -> None:
    """Give the password, ask to be called."""
    visit.give_password()
    visit.send("voice")


@state("code sent, other phones there", says="sent", shows=".mfa-others button")
def _(visit: Visit) -> None:
    """Add a second phone and name it, sign in again."""
    visit.sign_in()
    visit.open("/mfa/phones/add/")
    visit.add_phone(visit.other)
    visit.open("/mfa/phones/")
    visit.page.locator("details summary").last.click()
    name = visit.page.locator("input[name=name]").last
    name.fill("Work")
    with visit.page.expect_navigation():
        name.press("Enter")
    visit.leave_site()
    visit.give_password()


@state("code sent, recovery codes there", says="sent", shows="a[href*='/recovery-code/']")
def _(visit: Visit) -> None:
    """Make recovery codes, sign in again."""
    visit.sign_in()
    visit.make_recovery_codes()
    visit.leave_site()
    visit.give_password()


@state(
    "code delivered",
    says="delivered",
    site="receipts",
)
def _(visit: Visit) -> None:
    """Give the password, wait for the receipt, load the page again."""
    visit.give_password()
    wait_for_receipt(visit)


@state(
    "code not delivered: country",
    says="refused-by-carrier",
    site="receipts",
)
def _(visit: Visit) -> None:
    """The carrier answers 4432."""
    with visit.fault(on="receipt", error_code=4432):
        visit.give_password()
        wait_for_receipt(visit)


@state(
    "code not delivered: STOP",
    says="refused-by-carrier",
    site="receipts",
)
def _(visit: Visit) -> None:
    """The carrier answers 4775."""
    with visit.fault(on="receipt", error_code=4775):
        visit.give_password()
        wait_for_receipt(visit)


@state(
    "code not delivered, no calls",
    says="refused-by-carrier",
    site="receipts, no calls",
)
def _(visit: Visit) -> None:
    """The carrier answers 4750, and the site makes no calls."""
    with visit.fault(on="receipt", error_code=4750):
        visit.give_password()
        wait_for_receipt(visit)


@state("code not delivered: heard by the open page", says="refused-by-carrier", site="receipts")
def _(visit: Visit) -> None:
    """The carrier answers 4432 while the page is open; without JavaScript it is loaded again."""
    with visit.fault(on="receipt", error_code=4432, delay=1):
        visit.give_password()
        if visit.javascript:
            refused = ".bandwidth-mfa[data-state=refused-by-carrier]"
            visit.page.locator(refused).wait_for(timeout=20_000)
        else:
            wait_for_receipt(visit)


def wait_for_receipt(visit: Visit) -> None:
    """Load the page again until it shows the receipt, as people without JavaScript do."""
    result = ".bandwidth-mfa:is([data-state=delivered], [data-state=refused-by-carrier])"
    for _ in range(40):
        visit.page.reload()
        if visit.page.locator(result).count():
            return
        visit.page.wait_for_timeout(100)


@state("page out of date", says="sent")
def _(visit: Visit) -> None:
    """Type the code in a tab whose form another sign-in has made invalid."""
    visit.give_password()
    visit.page.context.clear_cookies(name="csrftoken")
    visit.type_code(visit.newest())


# The code page: wrong -----------------------------------------------------------------------


@state(
    "not six digits",
    says="sent",
)
def _(visit: Visit) -> None:
    """Type 12."""
    visit.give_password()
    visit.type_code("12")


@state(
    "wrong code",
    says="wrong",
)
def _(visit: Visit) -> None:
    """Type a wrong code."""
    visit.give_password()
    visit.type_wrong_codes(1)


@state(
    "wrong code, two tries left",
    says="wrong",
)
def _(visit: Visit) -> None:
    """Type three wrong codes."""
    visit.give_password()
    visit.type_wrong_codes(3)


@state(
    "code used up",
    says="used-up",
    site="few tries",
)
def _(visit: Visit) -> None:
    """Type two wrong codes where a code has two tries."""
    visit.give_password()
    visit.type_wrong_codes(2)


@state(
    "code used up, come back",
    says="used-up",
    site="few tries",
)
def _(visit: Visit) -> None:
    """Type two wrong codes where a code has two tries, load the page again."""
    visit.give_password()
    visit.type_wrong_codes(2)
    visit.open("/mfa/verify/")


@state(
    "waiting after wrong codes",
    says="waiting",
)
def _(visit: Visit) -> None:
    """Type five wrong codes."""
    visit.give_password()
    visit.type_wrong_codes(5)


@state(
    "waiting after wrong codes, signed in again",
    says="waiting",
)
def _(visit: Visit) -> None:
    """Type five wrong codes, give the password again."""
    visit.give_password()
    visit.type_wrong_codes(5)
    visit.leave_site()
    visit.give_password()


@state(
    "code expired",
    says="expired",
    rows_changed="the code works for a second, not for three minutes",
)
def _(visit: Visit) -> None:
    """Come back to the page after the code has expired."""
    visit.give_password()
    visit.expire_code()
    visit.open("/mfa/verify/")


@state(
    "code expired while typed",
    says="expired",
    rows_changed="the code works for a second, not for three minutes",
)
def _(visit: Visit) -> None:
    """Type the right code after it has expired."""
    visit.give_password()
    visit.expire_code()
    visit.type_code(visit.newest())


@state("locked", says="locked", rows_changed="100 wrong codes in a row are noted")
def _(visit: Visit) -> None:
    """Give the password after a hundred wrong codes."""
    visit.give_password()
    visit.set_wrong_codes(100)
    visit.leave_site()
    visit.give_password()


@state(
    "locked, recovery codes there",
    says="locked",
    shows="a[href*='/recovery-code/']",
    rows_changed="100 wrong codes in a row are noted",
)
def _(visit: Visit) -> None:
    """Make recovery codes; give the password after a hundred wrong codes."""
    visit.sign_in()
    visit.make_recovery_codes()
    visit.leave_site()
    visit.give_password()
    visit.set_wrong_codes(100)
    visit.leave_site()
    visit.give_password()


@state("locked while typing", says="locked", rows_changed="99 wrong codes in a row are noted")
def _(visit: Visit) -> None:
    """Type the hundredth wrong code."""
    visit.give_password()
    visit.set_wrong_codes(99)
    visit.type_wrong_codes(1)


@state("reset by staff", says="sent")
def _(visit: Visit) -> None:
    """Make recovery codes; an administrator resets the user; give the password again."""
    visit.sign_in()
    visit.make_recovery_codes()
    visit.leave_site()
    browser = visit.page.context.browser
    assert browser
    with closing(browser.new_context()) as context:
        staff = replace(visit, page=context.new_page())
        open_user_in_admin(staff)
        staff.press("a.changelink")
        staff.press("input[type=submit]")
    visit.give_password()


# The code page: no more codes now -----------------------------------------------------------


@state(
    "no code yet: cooldown",
    says="sent",
    site="cooldown",
)
def _(visit: Visit) -> None:
    """Ask for another code at once."""
    visit.give_password()
    ask_for_another(visit)


@state(
    "no more codes: user",
    says="sent",
    site="user limit",
)
def _(visit: Visit) -> None:
    """Ask for a second code where a user may have one an hour."""
    visit.give_password()
    ask_for_another(visit)


@state(
    "no more codes: number",
    says="sent",
    site="number limit",
)
def _(visit: Visit) -> None:
    """Ask for a second code where a number may have one an hour."""
    visit.give_password()
    ask_for_another(visit)


@state(
    "no more codes: network",
    says="sent",
    site="network limit",
    rows_changed="the counts of earlier visits are deleted",
)
def _(visit: Visit) -> None:
    """Ask for a second code where an address may have one an hour."""
    visit.forget_limits()
    visit.give_password()
    ask_for_another(visit)


@state(
    "no code at all: network",
    says="no-more-sends",
    site="network limit",
)
def _(visit: Visit) -> None:
    """Give the password where another person of the network has had the code of this hour."""
    visit.give_password()
    visit.leave_site()
    visit.give_password(visit.other)


@state(
    "no code at all: site",
    says="no-more-sends",
    site="site limit",
)
def _(visit: Visit) -> None:
    """Give the password where another person has had the site's code of this hour."""
    visit.give_password()
    visit.leave_site()
    visit.give_password(visit.other)


def ask_for_another(visit: Visit) -> None:
    """Send the form of the buttons, also of quiet buttons, as a browser without scripts does."""
    form = visit.page.locator(SEND_FORM).first
    with visit.page.expect_navigation():
        form.evaluate(PRESS_FIRST)


# The code page: Bandwidth in trouble --------------------------------------------------------


@state(
    "not sent: Bandwidth down",
    says="provider-down",
)
def _(visit: Visit) -> None:
    """Give the password while Bandwidth answers 503."""
    with visit.fault(on="all", status=503):
        visit.give_password()


@state(
    "perhaps sent",
    says="maybe-sent",
)
def _(visit: Visit) -> None:
    """Give the password while Bandwidth's answer is lost."""
    with visit.fault(on="messaging", drop=True):
        visit.give_password()


@state(
    "not sent: Bandwidth says wait",
    says="no-more-sends",
)
def _(visit: Visit) -> None:
    """Give the password while Bandwidth answers 429."""
    with visit.fault(on="messaging", status=429):
        visit.give_password()


@state(
    "not checked: Bandwidth down",
    says="provider-down",
)
def _(visit: Visit) -> None:
    """Type the right code while Bandwidth answers 503."""
    visit.give_password()
    with visit.fault(on="verify", status=503):
        visit.type_code(visit.newest())


@state(
    "perhaps checked",
    says="provider-down",
)
def _(visit: Visit) -> None:
    """Type the right code while Bandwidth's answer is lost."""
    visit.give_password()
    with visit.fault(on="verify", drop=True):
        visit.type_code(visit.newest())


@state(
    "busy",
    says="busy",
    site="few calls",
)
def _(visit: Visit) -> None:
    """Type a code while the only call to Bandwidth that the site may have is under way."""
    visit.give_password()
    visit.set_cookie("keeps_place")
    visit.type_code(visit.newest())


# The code page: confirming ------------------------------------------------------------------


@state(
    "confirm, before the code",
    says="nothing-sent",
    rows_changed="the session's last code is made older",
)
def _(visit: Visit) -> None:
    """Sign in, go to a page that takes a fresh code."""
    visit.sign_in()
    visit.age_session(61)
    visit.open("/account/transfer/")


@state("confirm, code sent", says="sent", rows_changed="the session's last code is made older")
def _(visit: Visit) -> None:
    """Sign in, go to a page that takes a fresh code, ask for it."""
    visit.sign_in()
    visit.age_session(61)
    visit.open("/account/transfer/")
    visit.send()


# Recovery codes -----------------------------------------------------------------------------


@state("recovery code asked for", says="ready", shows="input[name=recovery_code]")
def _(visit: Visit) -> None:
    """Make recovery codes, sign in again, choose to use one."""
    go_to_recovery_page(visit)


@state(
    "recovery code malformed",
    says="wrong",
)
def _(visit: Visit) -> None:
    """Type half a recovery code."""
    codes = go_to_recovery_page(visit)
    visit.fill("recovery_code", codes[0][:6])


@state(
    "recovery code wrong",
    says="wrong",
)
def _(visit: Visit) -> None:
    """Type a wrong recovery code."""
    go_to_recovery_page(visit)
    visit.fill("recovery_code", "7KQ2-M9XD-4TBN")


@state(
    "waiting after wrong recovery codes",
    says="waiting",
)
def _(visit: Visit) -> None:
    """Type five wrong recovery codes."""
    go_to_recovery_page(visit)
    for _ in range(5):
        visit.fill("recovery_code", "7KQ2-M9XD-4TBN")


@state("recovery codes used up", says="none-left")
def _(visit: Visit) -> None:
    """Give the password, and open the page of recovery codes with none left."""
    visit.give_password()
    visit.open("/mfa/recovery-code/")


@state("signed in with a recovery code", shows=".message")
def _(visit: Visit) -> None:
    """Type a recovery code."""
    codes = go_to_recovery_page(visit)
    visit.fill("recovery_code", codes[0])


def go_to_recovery_page(visit: Visit) -> list[str]:
    visit.sign_in()
    codes = visit.make_recovery_codes()
    visit.leave_site()
    visit.give_password()
    visit.press("a[href*='/recovery-code/']")
    return codes


@state("no recovery codes", shows="form[action$='/recovery-codes/']")
def _(visit: Visit) -> None:
    """Sign in, open the page of recovery codes."""
    visit.sign_in()
    visit.open("/mfa/recovery-codes/")


@state("recovery codes made", shows=".mfa-codes li")
def _(visit: Visit) -> None:
    """Sign in, make recovery codes."""
    visit.sign_in()
    visit.make_recovery_codes()


@state("recovery codes left", shows="form[action$='/recovery-codes/']")
def _(visit: Visit) -> None:
    """Make recovery codes, open the page again."""
    visit.sign_in()
    visit.make_recovery_codes()
    visit.page.locator("input[name=saved]").check()
    visit.press("form[action$='/saved/'] button")
    visit.open("/mfa/recovery-codes/")


@state("recovery codes not ticked", shows="input[name=saved]")
def _(visit: Visit) -> None:
    """Make recovery codes, go on without the tick in a browser that does not ask for it."""
    visit.sign_in()
    visit.make_recovery_codes()
    form = visit.page.locator("form[action$='/saved/']")
    with visit.page.expect_navigation():
        form.evaluate("form => form.submit()")


@state("recovery codes made too often", shows=ERROR)
def _(visit: Visit) -> None:
    """Make six sets of recovery codes."""
    visit.sign_in()
    for _ in range(6):
        visit.make_recovery_codes()


# The first phone ----------------------------------------------------------------------------


@state("first phone", shows="input[name=number]")
def _(visit: Visit) -> None:
    """Give the password, with no phone."""
    visit.give_password(visit.newcomer)


@state("first phone, with a region", site="trusting", shows="input[name=number]")
def _(visit: Visit) -> None:
    """Give the password, with no phone, where numbers without a country code are read as US."""
    visit.give_password(visit.newcomer)


@state("first phone, no number", shows=ERROR)
def _(visit: Visit) -> None:
    """Type 12."""
    visit.give_password(visit.newcomer)
    visit.fill("number", "12")


@state("first phone, empty", shows=ERROR)
def _(visit: Visit) -> None:
    """Send the empty form, in a browser that does not ask for the number."""
    visit.give_password(visit.newcomer)
    form = visit.page.locator("form:has(input[name=number])")
    with visit.page.expect_navigation():
        form.evaluate("form => form.submit()")


@state("first phone, refused number", shows=ERROR)
def _(visit: Visit) -> None:
    """Type a number whose calls cost extra."""
    visit.give_password(visit.newcomer)
    visit.fill("number", "+1 900 555 0123")


@state("first phone, not sent", shows=ERROR)
def _(visit: Visit) -> None:
    """Type a number while Bandwidth answers 503."""
    visit.give_password(visit.newcomer)
    with visit.fault(on="all", status=503):
        visit.fill("number", visit.newcomer.number)


@state(
    "first phone, code sent",
    says="sent",
)
def _(visit: Visit) -> None:
    """Type a number."""
    visit.give_password(visit.newcomer)
    visit.fill("number", visit.newcomer.number)


@state(
    "first phone, in the cooldown",
    says="sent",
    site="cooldown",
)
def _(visit: Visit) -> None:
    """Type a number, ask for another code at once."""
    visit.give_password(visit.newcomer)
    visit.fill("number", visit.newcomer.number)
    ask_for_another(visit)


@state(
    "first phone, wrong code",
    says="wrong",
)
def _(visit: Visit) -> None:
    """Type a number, and a wrong code."""
    visit.give_password(visit.newcomer)
    visit.fill("number", visit.newcomer.number)
    code = visit.newest(visit.newcomer)
    visit.type_code(f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}")


@state("first phone confirmed", shows=".mfa-codes li")
def _(visit: Visit) -> None:
    """Type a number, and the code: recovery codes follow."""
    visit.give_password(visit.newcomer)
    visit.add_phone(visit.newcomer)


@state("another phone, locked", says="locked", rows_changed="100 wrong codes in a row are noted")
def _(visit: Visit) -> None:
    """Sign in, add another phone after a hundred wrong codes."""
    visit.sign_in()
    visit.set_wrong_codes(100)
    visit.open("/mfa/phones/add/")


# The user's own pages -----------------------------------------------------------------------


@state("phones: none", site="optional", shows="a[href*='/phones/add/']")
def _(visit: Visit) -> None:
    """Sign in without a phone where no user has to have a phone."""
    visit.give_password(visit.newcomer)
    visit.open("/mfa/phones/")


@state("phones: one", site="trusting", shows=".mfa-list li")
def _(visit: Visit) -> None:
    """Sign in with one phone."""
    visit.sign_in()
    visit.open("/mfa/phones/")


@state("phones: two", site="trusting", shows=".mfa-list li + li")
def _(visit: Visit) -> None:
    """Add a second phone, make recovery codes."""
    visit.sign_in()
    visit.make_recovery_codes()
    visit.open("/mfa/phones/add/")
    visit.add_phone(visit.other)
    visit.open("/mfa/phones/")


@state("phones: name too long", shows=ERROR)
def _(visit: Visit) -> None:
    """Give a phone a name of 41 characters, in a browser that does not count them."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.page.locator("details summary").first.click()
    name = visit.page.locator("input[name=name]").first
    name.evaluate("field => field.removeAttribute('maxlength')")
    name.fill("n" * 41)
    with visit.page.expect_navigation():
        name.press("Enter")


@state("another phone", shows="input[name=number]")
def _(visit: Visit) -> None:
    """Sign in, add another phone."""
    visit.sign_in()
    visit.open("/mfa/phones/add/")


@state(
    "another phone, code sent",
    says="sent",
)
def _(visit: Visit) -> None:
    """Sign in, add another phone, type its number."""
    visit.sign_in()
    visit.open("/mfa/phones/add/")
    visit.fill("number", visit.other.number)


@state("phone changed for another", shows="input[name=number]")
def _(visit: Visit) -> None:
    """Sign in, choose to change the phone."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.press("a[href*='/phones/add/?phone=']")


@state("default phone?", shows="form button")
def _(visit: Visit) -> None:
    """Add a second phone, choose to use it first."""
    visit.sign_in()
    visit.open("/mfa/phones/add/")
    visit.add_phone(visit.other)
    visit.open("/mfa/phones/")
    visit.press("a[href*='/phones/primary/']")


@state("default phone changed", shows=".message, .bandwidth-mfa-message")
def _(visit: Visit) -> None:
    """Add a second phone, use it first."""
    visit.sign_in()
    visit.open("/mfa/phones/add/")
    visit.add_phone(visit.other)
    visit.open("/mfa/phones/")
    visit.press("a[href*='/phones/primary/']")
    visit.press(".bandwidth-mfa form button")


@state("remove a phone?", site="optional", shows="form button")
def _(visit: Visit) -> None:
    """Choose to remove the phone."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.press("a[href*='/phones/remove/']")


@state("phone removed", site="optional", shows=".message, .bandwidth-mfa-message")
def _(visit: Visit) -> None:
    """Remove the phone."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.press("a[href*='/phones/remove/']")
    visit.press(".bandwidth-mfa form button")


@state("last phone stays", shows=ERROR)
def _(visit: Visit) -> None:
    """Try to remove the only phone where each user has to have one."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    phone = visit.page.locator("input[name=phone]").first.get_attribute("value")
    visit.open(f"/mfa/phones/remove/?phone={phone}")
    visit.press(".bandwidth-mfa form button")


@state("calls from now on", shows=".message, .bandwidth-mfa-message")
def _(visit: Visit) -> None:
    """Choose calls for the phone."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.press("button[name=channel][value=voice]")


@state("prefers calls", shows="button[value=sms]")
def _(visit: Visit) -> None:
    """Choose calls for the phone, look at its list."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.press("button[name=channel][value=voice]")
    visit.open("/mfa/phones/")


@state("calls?", shows="form button", rows_changed="the session's last code is made older")
def _(visit: Visit) -> None:
    """Choose calls for the phone an hour after the last code; give a code; the page asks."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.age_session(3600)
    visit.press("button[name=channel][value=voice]")
    visit.send()
    visit.type_code(visit.newest())


@state("browsers: none", site="trusting", shows=".bandwidth-mfa")
def _(visit: Visit) -> None:
    """Sign in, look at the trusted browsers."""
    visit.sign_in()
    visit.open("/mfa/browsers/")


@state("browsers: two", site="trusting", shows=".mfa-list li + li")
def _(visit: Visit) -> None:
    """Trust two browsers."""
    for _ in range(2):
        visit.leave_site()
        visit.give_password()
        visit.page.locator("input[name=trust]").check()
        visit.type_code(visit.newest())
    visit.open("/mfa/browsers/")


@state("browser forgotten", site="trusting", shows=".message, .bandwidth-mfa-message")
def _(visit: Visit) -> None:
    """Trust a browser, then stop trusting it."""
    visit.give_password()
    visit.page.locator("input[name=trust]").check()
    visit.type_code(visit.newest())
    visit.open("/mfa/browsers/")
    visit.press("button[name=browser]")


@state("browsers: none on this site", shows=".bandwidth-mfa")
def _(visit: Visit) -> None:
    """Look at the trusted browsers where none can be trusted."""
    visit.sign_in()
    visit.open("/mfa/browsers/")


@state("signed out elsewhere", shows=".message, .bandwidth-mfa-message")
def _(visit: Visit) -> None:
    """Sign out everywhere else."""
    visit.sign_in()
    visit.open("/mfa/phones/")
    visit.press("form[action$='/sign-out-others/'] button")


@state("phone suggested", site="optional", shows="a[href*='/phones/add/']")
def _(visit: Visit) -> None:
    """Sign in without a phone, look at the suggestion."""
    visit.give_password(visit.newcomer)
    visit.open("/mfa/suggestion/")


# Turned away --------------------------------------------------------------------------------


@state(
    "sign in again",
    site="optional",
    shows="button[name=sign_in_again]",
    rows_changed="the session is made an hour older",
)
def _(visit: Visit) -> None:
    """Add a first phone an hour after the sign-in."""
    visit.give_password(visit.newcomer)
    visit.age_session(3600)
    visit.open("/mfa/phones/add/")


@state("numbers kept by the site", site="numbers kept", shows=".mfa-list li")
def _(visit: Visit) -> None:
    """Sign in, look at the phones where the site keeps the numbers."""
    visit.give_password()
    visit.type_code(visit.site.messages("+12065550100")[0]["code"])
    visit.open("/mfa/phones/")


@state("numbers kept by the site, none known", site="numbers kept", shows=".bandwidth-mfa h1")
def _(visit: Visit) -> None:
    """Give the password where the site keeps the numbers, and knows none."""
    visit.give_password(visit.newcomer)


@state("on behalf of somebody", shows="a[aria-describedby=bandwidth-mfa-introduction]")
def _(visit: Visit) -> None:
    """Act on behalf of another user as staff, look at that user's phones."""
    visit.sign_in()
    visit.set_cookie("acts_for", visit.other.username)
    visit.open("/mfa/phones/")


@state("database away", shows="body.bandwidth-mfa-page .bandwidth-mfa > h1 + p:last-child")
def _(visit: Visit) -> None:
    """Give the password, load the code page while the site's database cannot be opened."""
    visit.give_password()
    visit.set_cookie("without_database")
    visit.open("/mfa/verify/")


@state("sign-in took too long", site="short login", shows=".message")
def _(visit: Visit) -> None:
    """Type the code after the login has expired, where a login lasts one second."""
    visit.give_password()
    visit.page.wait_for_timeout(2100)
    visit.type_code("123456")


# Staff --------------------------------------------------------------------------------------


@state("admin: a user", shows="fieldset h2", is_staffs=True)
def _(visit: Visit) -> None:
    """Sign in as an administrator, open the page of a user."""
    open_user_in_admin(visit)


@state("admin: reset?", shows="input[name=what]", is_staffs=True)
def _(visit: Visit) -> None:
    """Sign in as an administrator, choose to reset a user."""
    open_user_in_admin(visit)
    visit.press("a.changelink")


def open_user_in_admin(visit: Visit) -> None:
    visit.open(f"/admin/login/?next=/admin/auth/user/%3Fq={visit.who.username}")
    visit.page.locator("input[name=username]").fill("admin")
    visit.fill("password", "demo-password")
    visit.type_code(visit.site.messages("+12025550187")[0]["code"])
    visit.press(f"th a:text-is('{visit.who.username}')")
