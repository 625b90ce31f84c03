"""The admin: the lists of the app's rows, a user's second factor, the reset, and the login."""

from __future__ import annotations

import enum
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import django
import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_bandwidth_mfa import service
from django_bandwidth_mfa.admin import RecordPaginator, SecondFactorAdminMixin
from django_bandwidth_mfa.internal.limits import rules, store
from django_bandwidth_mfa.models import (
    Challenge,
    Counter,
    Phone,
    RecoveryCode,
    SecondFactor,
    TrustedBrowser,
)
from django_bandwidth_mfa.testing import login_verified

from .browsing import assert_shut, state
from .conftest import NUMBER, OTHER_NUMBER, PASSWORD, give_recovery_codes, make_user

pytestmark = pytest.mark.django_db

LEDGERS = (Phone, Challenge, RecoveryCode, TrustedBrowser, Counter)
STAFF_NUMBER = "+12025550188"


def user_page(page: str = "") -> str:
    opts = get_user_model()._meta
    return f"/admin/{opts.app_label}/{opts.model_name}/{page}"


def page_of(model: Any, page: str = "") -> str:
    return f"/admin/bandwidth_mfa/{model._meta.model_name}/{page}"


def text(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.fixture
def superuser(db: None) -> Any:
    return make_user("root", STAFF_NUMBER, is_staff=True, is_superuser=True)


@pytest.fixture
def root(client: Client, superuser: Any) -> Client:
    login_verified(client, superuser)
    return client


def staff(*permissions: str) -> Client:
    """Return a client of a staff member who has these permissions and a phone."""
    user = make_user("clerk", "+12025550189", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert user.user_permissions.count() == len(permissions)
    client = Client()
    login_verified(client, user)
    return client


@pytest.fixture
def rows(user: Any, bandwidth: Any) -> Any:
    """A user with a phone, a challenge, recovery codes, a trusted browser and counters."""
    service.send_code(user)
    give_recovery_codes(user)
    TrustedBrowser.objects.create(
        user=user, digest="d" * 64, auth_hash=user.get_session_auth_hash(), name="Firefox"
    )
    return user


def test_the_documented_template_adds_a_link_to_the_head_of_the_admin(
    root: Client, settings: Any, tmp_path: Any
) -> None:
    """The template has two lines. The test takes them from docs/theming.md."""
    [lines] = re.findall(
        r"```html\n(\{% extends \"admin/base_site.html\" %\}\n.*?)```",
        (Path(__file__).parents[1] / "docs/theming.md").read_text(),
        re.DOTALL,
    )
    assert lines.count("\n") == 2
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin/base_site.html").write_text(lines)
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    page = text(root.get("/admin/"))
    tools = page.partition('<div id="user-tools">')[2].partition("</div>")[0]
    assert tools.index('<a href="/mfa/phones/">Your phones</a> /') < tools.index("Change password")
    assert 'id="logout-form"' in tools


# The lists ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.attack("T11")
@pytest.mark.parametrize("model", LEDGERS)
def test_a_list_can_be_read_and_shows_no_secret(root: Client, rows: Any, model: Any) -> None:
    """Fails when ``number``, ``digest`` or ``auth_hash`` is among a page's fields."""
    row = model.objects.first()
    for path in ("", f"{row.pk}/change/", "?q=ada"):
        answer = root.get(page_of(model, path), follow=True)
        assert answer.status_code == 200, path
        page = text(answer)
        for secret in (NUMBER[1:], STAFF_NUMBER[1:], "d" * 64, rows.get_session_auth_hash()):
            assert secret not in page
        for code in RecoveryCode.objects.all():
            assert code.digest not in page


@pytest.mark.slow
@pytest.mark.attack("P24")
@pytest.mark.parametrize("model", LEDGERS)
def test_no_row_can_be_added_or_changed(root: Client, rows: Any, model: Any) -> None:
    """Fails without ``has_add_permission`` or ``has_change_permission``: staff could confirm
    phones."""
    row = model.objects.first()
    before = list(model.objects.values())
    assert root.get(page_of(model, "add/")).status_code == 403
    assert root.post(page_of(model, "add/"), {"number": OTHER_NUMBER}).status_code == 403
    data = {"number": OTHER_NUMBER, "name": "x", "count": 0, "used_at": ""}
    assert root.post(page_of(model, f"{row.pk}/change/"), data).status_code == 403
    assert list(model.objects.values()) == before


@pytest.mark.attack("P24")
@pytest.mark.parametrize("model", [Challenge, RecoveryCode, Counter])
def test_records_cannot_be_deleted(root: Client, rows: Any, model: Any) -> None:
    """Fails without the check of ``may_delete``: staff could unlock a user without a trace."""
    row = model.objects.first()
    many = model.objects.count()
    assert root.post(page_of(model, f"{row.pk}/delete/"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    root.post(page_of(model), chosen)
    assert model.objects.count() == many


@pytest.mark.standard("63B-4.3")
def test_deleting_a_phone_has_the_same_effects_as_removing_it(root: Client, user: Any) -> None:
    """Fails when only the row is deleted: sessions and trusted browsers would stay valid."""
    second = Phone.objects.create(user=user, number=OTHER_NUMBER, confirmed_at=user.date_joined)
    for number, pages in ((NUMBER, "delete"), (OTHER_NUMBER, "action")):
        SecondFactor.objects.all().delete()
        phone = Phone.objects.get(number=number)
        if pages == "delete":
            root.post(page_of(Phone, f"{phone.pk}/delete/"), {"post": "yes"})
            second.refresh_from_db()
            assert second.is_primary
        else:
            chosen = {"action": "delete_selected", "_selected_action": phone.pk, "post": "yes"}
            root.post(page_of(Phone), chosen)
        assert not Phone.objects.filter(number=number).exists()
        assert SecondFactor.objects.get(user=user).verified_since


@pytest.mark.parametrize("model", [Phone, TrustedBrowser])
@pytest.mark.parametrize("way", ["page", "action"])
def test_the_mail_about_what_staff_deleted_is_the_owners(
    root: Client, rows: Any, mailoutbox: Any, model: Any, way: str
) -> None:
    """Before, the mail named the browser of the member of staff.  It was in the language of their
    page, which replaced the stored language of the user."""
    SecondFactor.objects.update_or_create(user=rows, defaults={"language": "es"})
    row = model.objects.get(user=rows)
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    if way == "page":
        url, form = page_of(model, f"{row.pk}/delete/"), {"post": "yes"}
    else:
        url = page_of(model)
        form = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    root.post(url, form, headers={"user-agent": firefox})
    assert not model.objects.filter(pk=row.pk).exists()
    [one] = mailoutbox
    assert one.to == [rows.email]
    assert "Hola" in one.body
    assert "Firefox" not in one.body
    assert SecondFactor.objects.get(user=rows).language == "es"


def test_the_mail_about_ones_own_phone_deleted_in_the_admin_names_the_browser(
    root: Client, superuser: Any, mailoutbox: Any
) -> None:
    """Fails when each deletion in the admin counts as one by staff for somebody else."""
    phone = Phone.objects.get(user=superuser)
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    url = page_of(Phone, f"{phone.pk}/delete/")
    root.post(url, {"post": "yes"}, headers={"user-agent": firefox})
    assert "Browser: Firefox on Linux" in mailoutbox[0].body


def test_a_trusted_browser_can_be_deleted(root: Client, rows: Any) -> None:
    browser = TrustedBrowser.objects.get()
    root.post(page_of(TrustedBrowser, f"{browser.pk}/delete/"), {"post": "yes"})
    assert not TrustedBrowser.objects.exists()


@pytest.mark.slow
@pytest.mark.attack("P23")
@pytest.mark.parametrize("model", [Phone, TrustedBrowser])
@pytest.mark.parametrize("way", ["page", "action", "action with others"])
def test_staff_cannot_delete_a_superusers_phone_or_trusted_browser(
    superuser: Any, rows: Any, model: Any, way: str
) -> None:
    """Fails when ``has_delete_permission`` does not check the owner of the row: a clerk with a
    superuser's password and the permission to delete phones could sign in as the superuser."""
    TrustedBrowser.objects.create(
        user=superuser, digest="r" * 64, auth_hash=superuser.get_session_auth_hash(), name="Firefox"
    )
    name = model._meta.model_name
    clerk = staff(f"delete_{name}", f"view_{name}")
    theirs, others = model.objects.get(user=superuser), model.objects.get(user=rows)
    if way == "page":
        page = page_of(model, f"{theirs.pk}/delete/")
        answers = [clerk.get(page), clerk.post(page, {"post": "yes"})]
        assert "deletelink" not in text(clerk.get(page_of(model, f"{theirs.pk}/change/")))
    else:
        keys = [theirs.pk] if way == "action" else [others.pk, theirs.pk]
        chosen = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
        answers = [clerk.post(page_of(model), chosen)]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert model.objects.filter(pk__in=[theirs.pk, others.pk]).count() == 2
    # Staff can still delete what belongs to an ordinary member.
    clerk.post(page_of(model, f"{others.pk}/delete/"), {"post": "yes"})
    assert not model.objects.filter(pk=others.pk).exists()


@pytest.mark.parametrize("model", [Phone, TrustedBrowser])
def test_a_superuser_can_delete_rows_of_another_superuser(root: Client, model: Any) -> None:
    """Fails when the rule also stops superusers."""
    other = make_user("root2", OTHER_NUMBER, is_staff=True, is_superuser=True)
    TrustedBrowser.objects.create(user=other, digest="o" * 64, auth_hash="x", name="Firefox")
    row = model.objects.get(user=other)
    root.post(page_of(model, f"{row.pk}/delete/"), {"post": "yes"})
    assert not model.objects.filter(pk=row.pk).exists()


def test_a_user_with_the_delete_permission_can_delete_a_user_and_their_data(rows: Any) -> None:
    """Fails when the lists refuse the deletion: no user with a phone could be deleted."""
    model = get_user_model()._meta.model_name
    clerk = staff(f"delete_{model}", f"view_{model}")
    answer = clerk.post(user_page(f"{rows.pk}/delete/"), {"post": "yes"}, follow=True)
    assert answer.status_code == 200
    assert not get_user_model().objects.filter(pk=rows.pk).exists()
    assert not Challenge.objects.exists()


def test_staff_see_only_the_lists_that_they_have_permission_for(rows: Any) -> None:
    clerk = staff("view_phone")
    assert clerk.get(page_of(Phone)).status_code == 200
    for model in LEDGERS[1:]:
        assert clerk.get(page_of(model)).status_code == 403
        assert model._meta.verbose_name_plural.lower() not in text(clerk.get("/admin/")).lower()
    phone = Phone.objects.first()
    assert phone
    assert clerk.post(page_of(Phone, f"{phone.pk}/delete/"), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", LEDGERS)
def test_the_number_of_queries_of_a_list_does_not_grow_with_its_rows(
    root: Client, rows: Any, model: Any, django_assert_max_num_queries: Any
) -> None:
    sent = Challenge.objects.get()
    for n in range(10):
        user = make_user(f"user{n}", f"+1206555{n:04}")
        RecoveryCode.objects.create(user=user, digest=str(n))
        TrustedBrowser.objects.create(user=user, digest=str(n))
        Challenge.objects.create(user=user, digits=6, expires_at=sent.expires_at)
    with django_assert_max_num_queries(9):
        assert root.get(page_of(model)).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("model", LEDGERS)
def test_a_list_counts_its_rows_once_and_reads_no_distinct_values(
    root: Client, rows: Any, model: Any
) -> None:
    """Fails with ``show_full_result_count``, which also counts the rows outside of the search.

    Fails with a filter that reads its choices from the table, too.
    """
    for query in ("", "?q=ada"):
        with CaptureQueriesContext(connection) as queries:
            assert root.get(page_of(model, query)).status_code == 200
        table = model._meta.db_table
        statements = [query["sql"] for query in queries if table in query["sql"]]
        assert not [sql for sql in statements if "DISTINCT" in sql]
        assert len([sql for sql in statements if "COUNT(" in sql]) == 1


def users_of_rows(client: Client, model: Any, query: str) -> set[str]:
    """Return the names of the users whose rows a search finds."""
    answer = client.get(page_of(model), {"q": query})
    return {row.user.get_username() for row in answer.context["cl"].result_list}


@pytest.fixture
def sent(rows: Any) -> Challenge:
    """The challenge of ``rows``. Another user has rows, too."""
    challenge = Challenge.objects.get()
    challenge.provider_id = "its own"
    challenge.save()
    other = make_user("adam", OTHER_NUMBER)
    RecoveryCode.objects.create(user=other, digest="o")
    TrustedBrowser.objects.create(user=other, digest="o")
    Challenge.objects.create(
        user=other, digits=6, expires_at=challenge.expires_at, provider_id="other"
    )
    return challenge


@pytest.mark.slow
@pytest.mark.parametrize("model", [Phone, Challenge, RecoveryCode, TrustedBrowser])
def test_a_search_finds_the_rows_of_the_user_of_that_name(
    root: Client, sent: Challenge, model: Any
) -> None:
    """Fails when a search accepts a part of the name: no index can be used for it."""
    assert users_of_rows(root, model, "") >= {"ada", "adam"}
    assert users_of_rows(root, model, "ada") == {"ada"}
    assert users_of_rows(root, model, " adam ") == {"adam"}
    for query in ("ad", "nobody", "a da"):
        assert users_of_rows(root, model, query) == set(), query
    if connection.vendor != "mysql":  # it compares names without case
        assert users_of_rows(root, model, "ADA") == set()


def test_a_search_finds_a_challenge_by_its_id_and_by_the_id_of_bandwidth(
    root: Client, sent: Challenge
) -> None:
    for query in (str(sent.pk), sent.pk.hex, str(sent.pk).upper(), sent.provider_id):
        assert users_of_rows(root, Challenge, query) == {"ada"}, query
    for query in (str(sent.pk)[:-1], sent.provider_id[:-1], str(sent.user.pk) * 9):
        assert users_of_rows(root, Challenge, query) == set(), query


def test_challenges_are_filtered_by_their_failure(root: Client, sent: Challenge) -> None:
    Challenge.objects.filter(pk=sent.pk).update(failure="Unreachable")
    page = root.get(page_of(Challenge, "?failure=Unreachable"))
    assert [row.pk for row in page.context["cl"].result_list] == [sent.pk]
    assert "?failure=TooManyRequests" in text(page)
    assert len(root.get(page_of(Challenge)).context["cl"].result_list) == 2


def test_records_are_counted_up_to_a_limit_and_the_page_says_so(
    root: Client, sent: Challenge, monkeypatch: Any
) -> None:
    """Fails when the database continues to count after the limit."""
    monkeypatch.setattr(RecordPaginator, "MOST", 2)
    notice = "These pages show 2 rows, and there are more."
    assert notice not in text(root.get(page_of(Challenge)))
    Challenge.objects.create(user=sent.user, digits=6, expires_at=sent.expires_at)
    Challenge.objects.create(user=sent.user, digits=6, expires_at=sent.expires_at)
    with CaptureQueriesContext(connection) as queries:
        page = root.get(page_of(Challenge))
    assert notice in text(page)
    assert page.context["cl"].result_count == 2
    assert [sql["sql"] for sql in queries if "COUNT(" in sql["sql"] and "LIMIT 3" in sql["sql"]]


@pytest.mark.parametrize("model", [Phone, TrustedBrowser])
def test_rows_that_can_be_deleted_are_all_counted(
    root: Client, sent: Challenge, model: Any, monkeypatch: Any
) -> None:
    """Fails with the paginator of records: "select all 10,000" would delete more than it says."""
    monkeypatch.setattr(RecordPaginator, "MOST", 1)
    answer = root.get(page_of(model))
    assert answer.context["cl"].result_count == model.objects.count() > 1


# A user's page --------------------------------------------------------------------------------


def test_the_users_page_shows_the_state_of_the_second_factor(
    root: Client, rows: Any, configure: Any
) -> None:
    configure(TRUST_DAYS=30, FAILURES_BEFORE_LOCK=1)
    store.counting(lambda: rules.take_failure(rows))
    page = text(root.get(user_page(f"{rows.pk}/change/")))
    assert "••42" in page
    assert "10 recovery codes left" in page
    assert "1 trusted browser" in page
    assert "Locked out" in page
    assert "Reset the second factor" in page
    assert NUMBER not in page


def test_masked_numbers_have_words_for_a_screen_reader(root: Client, rows: Any) -> None:
    """Fails when a number has only bullets and digits."""
    Phone.objects.filter(user=rows).update(name="Work")
    for path in (user_page(f"{rows.pk}/change/"), page_of(Phone), page_of(Challenge)):
        page = text(root.get(path))
        assert '<span aria-hidden="true"><bdi dir="ltr">••42</bdi></span>' in page
        assert "ending in 42</span>" in page
    assert "Work" in text(root.get(user_page(f"{rows.pk}/change/")))
    assert "Masked" not in text(root.get(page_of(Phone)))


@pytest.mark.slow
def test_the_users_page_can_be_saved(root: Client, user: Any) -> None:
    """Fails when the inline's management form is not on the page."""
    page = user_page(f"{user.pk}/change/")
    form = root.get(page).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields}
    data |= {"date_joined_0": "2026-01-01", "date_joined_1": "12:00:00", "first_name": "Ada"}
    data |= {"last_login_0": "", "last_login_1": ""}
    data |= dict(re.findall(r'name="(\w+-\w+_FORMS)" value="(\d+)"', text(root.get(page))))
    for name in ("is_superuser", "groups", "user_permissions", "password"):
        data.pop(name)
    answer = root.post(page, data)
    assert answer.status_code == 302, answer.context["errors"]
    user.refresh_from_db()
    assert user.first_name == "Ada"
    assert Phone.objects.get(user=user).number == NUMBER


def test_the_page_that_adds_a_user_shows_no_second_factor(root: Client) -> None:
    assert "recovery codes left" not in text(root.get(user_page("add/")))


def test_staff_without_the_permission_to_view_phones_see_no_status(user: Any) -> None:
    """Fails when the inline does not check ``view_phone``."""
    model = get_user_model()._meta.model_name
    page = text(staff(f"view_{model}").get(user_page(f"{user.pk}/change/")))
    assert "••42" not in page
    assert "recovery codes left" not in page


def test_staff_without_the_permission_to_reset_see_no_link_to_it(user: Any) -> None:
    model = get_user_model()._meta.model_name
    clerk = staff(f"change_{model}", "view_phone")
    page = text(clerk.get(user_page(f"{user.pk}/change/")))
    assert "••42" in page
    assert "Reset the second factor" not in page
    assert "reset_second_factor" not in text(clerk.get(user_page()))


@pytest.mark.attack("P23")
def test_a_superusers_page_offers_staff_no_reset(superuser: Any, user: Any) -> None:
    """Fails when the link checks only the permission: the page behind it would refuse the reset."""
    model = get_user_model()._meta.model_name
    clerk = staff(f"change_{model}", "view_phone", "reset_second_factor")
    link = "Reset the second factor</a>"
    assert link in text(clerk.get(user_page(f"{user.pk}/change/")))
    assert link not in text(clerk.get(user_page(f"{superuser.pk}/change/")))


def numbers(user: Any) -> list[str]:
    return [OTHER_NUMBER]


def test_the_page_shows_the_numbers_of_get_phones(root: Client, user: Any, configure: Any) -> None:
    configure(GET_PHONES="tests.test_admin.numbers")
    assert "••77" in text(root.get(user_page(f"{user.pk}/change/")))
    assert "Without a second factor" not in text(root.get(user_page()))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("with", {"ada", "root"}), ("without", {"newcomer"}), ("locked", {"ada"})],
)
def test_users_are_filtered_by_their_second_factor(
    root: Client, user: Any, newcomer: Any, configure: Any, choice: str, expected: set[str]
) -> None:
    configure(FAILURES_BEFORE_LOCK=1)
    store.counting(lambda: rules.take_failure(user))
    Phone.objects.create(user=newcomer, number="+12025550190")  # unconfirmed
    answer = root.get(user_page(f"?second_factor={choice}"))
    assert {one.username for one in answer.context["cl"].result_list} == expected


def test_a_sites_own_user_admin_stays_unchanged() -> None:
    from django_bandwidth_mfa.admin import extend_stock_user_admin

    model = get_user_model()
    before = admin.site.get_model_admin(model)
    extend_stock_user_admin()
    assert admin.site.get_model_admin(model) is before


# The site's own actions -----------------------------------------------------------------------


def own_action(model_admin: Any, request: Any, queryset: Any) -> None:
    """An action of the site itself."""


class Location(enum.Enum):
    """A copy of Django 6.1's ``ActionLocation``, because older versions have none."""

    CHANGE_LIST = "CHANGE_LIST"
    CHANGE_FORM = "CHANGE_FORM"


class AdminWithoutLocations(UserAdmin):
    def get_actions(self, request: Any) -> Any:
        return {"own_action": (own_action, "own_action", "Own action")}


class AdminWithLocations(UserAdmin):
    def get_actions(self, request: Any, action_location: Any = Location.CHANGE_LIST) -> Any:
        return {f"own_{action_location.value}": (own_action, "own_action", "Own action")}


@pytest.mark.parametrize(
    ("parent", "locations", "expected"),
    [
        (AdminWithoutLocations, (), {"own_action", "reset_second_factor"}),
        (AdminWithoutLocations, (Location.CHANGE_LIST,), {"own_action", "reset_second_factor"}),
        (AdminWithoutLocations, (Location.CHANGE_FORM,), set()),
        (AdminWithLocations, (), {"own_CHANGE_LIST", "reset_second_factor"}),
        (AdminWithLocations, (Location.CHANGE_LIST,), {"own_CHANGE_LIST", "reset_second_factor"}),
        (AdminWithLocations, (Location.CHANGE_FORM,), {"own_CHANGE_FORM"}),
    ],
)
def test_the_sites_own_actions_stay_on_their_pages(
    superuser: Any, rf: Any, parent: Any, locations: Any, expected: set[str]
) -> None:
    """Fails when ``get_actions`` takes no location, or does not pass it on: Django 6.1 then shows
    no action at all on a user's page."""
    request = rf.get("/")
    request.user = superuser
    own = type("OwnAdmin", (SecondFactorAdminMixin, parent), {})(get_user_model(), admin.site)
    assert set(own.get_actions(request, *locations)) == expected


@pytest.mark.skipif(django.VERSION < (6, 1), reason="It has no actions on the page of one row")
def test_an_action_of_the_site_is_on_the_users_page(
    root: Client, user: Any, monkeypatch: Any
) -> None:
    """Fails when ``get_actions`` does not take the location and pass it on."""
    own_action.locations = list(admin.ActionLocation)  # type: ignore[attr-defined]
    model_admin = type(admin.site.get_model_admin(get_user_model()))
    monkeypatch.setattr(model_admin, "actions", [own_action])
    page = text(root.get(user_page(f"{user.pk}/change/")))
    assert '<option value="own_action">' in page
    assert '<option value="reset_second_factor">' not in page
    assert '<option value="reset_second_factor">' in text(root.get(user_page()))


# The reset ------------------------------------------------------------------------------------


def reset_page(user: Any) -> str:
    return user_page(f"{user.pk}/reset-second-factor/")


def test_a_reset_asks_for_confirmation_before_it_changes_anything(root: Client, rows: Any) -> None:
    page = text(root.get(reset_page(rows)))
    assert "ada" in page
    assert "First make sure you are talking to the account’s owner." in page
    before = list(SecondFactor.objects.values())
    assert root.post(reset_page(rows)).status_code == 200
    assert list(SecondFactor.objects.values()) == before


@pytest.mark.standard("V7.4.5")
@pytest.mark.attack("P23")
@pytest.mark.parametrize(("what", "phones", "codes"), [("unlock", 1, 10), ("forget", 0, 0)])
def test_a_confirmed_reset_is_logged_and_mailed(
    root: Client, rows: Any, mailoutbox: Any, what: str, phones: int, codes: int
) -> None:
    answer = root.post(reset_page(rows), {"what": what}, follow=True)
    assert "The second factor of 1 user is reset." in text(answer)
    assert Phone.objects.filter(user=rows).count() == phones
    assert RecoveryCode.objects.left(rows) == codes
    assert SecondFactor.objects.get(user=rows).verified_since
    entry = LogEntry.objects.get()
    assert entry.object_id == str(rows.pk)
    assert "Reset the second factor" in entry.get_change_message()
    assert mailoutbox[-1].to == [rows.email]


def test_several_users_are_reset_from_the_list(root: Client, user: Any) -> None:
    bob = make_user("bob", OTHER_NUMBER)
    chosen = {"action": "reset_second_factor", "_selected_action": [user.pk, bob.pk]}
    page = text(root.post(user_page(), chosen))
    assert "ada" in page
    assert "bob" in page
    assert not SecondFactor.objects.exists()
    answer = root.post(user_page(), {**chosen, "what": "forget"}, follow=True)
    assert "The second factor of 2 users is reset." in text(answer)
    assert not Phone.objects.filter(user__in=[user, bob]).exists()
    assert LogEntry.objects.count() == 2


@pytest.mark.attack("P23")
@pytest.mark.parametrize("lacking", ["reset_second_factor", "change"])
def test_a_reset_needs_both_permissions(user: Any, lacking: str) -> None:
    """Fails when one of the two permissions is not checked."""
    model = get_user_model()._meta.model_name
    both = {"reset_second_factor": "reset_second_factor", "change": f"change_{model}"}
    having = [name for key, name in both.items() if key != lacking]
    clerk = staff(*having, f"view_{model}")
    for method in (clerk.get, clerk.post):
        assert method(reset_page(user), {"what": "forget"}).status_code == 403
    chosen = {"action": "reset_second_factor", "_selected_action": user.pk, "what": "forget"}
    clerk.post(user_page(), chosen)
    assert Phone.objects.filter(user=user).exists()


@pytest.mark.attack("P23")
def test_staff_cannot_reset_a_superuser(superuser: Any) -> None:
    """Fails without this check: a clerk who knows a superuser's password could then sign in as
    that superuser."""
    model = get_user_model()._meta.model_name
    clerk = staff("reset_second_factor", f"change_{model}", f"view_{model}")
    answer = clerk.post(reset_page(superuser), {"what": "forget"}, follow=True)
    assert "Only a superuser can reset the second factor of a superuser: root." in text(answer)
    assert Phone.objects.filter(user=superuser).exists()


def test_the_reset_page_of_an_unknown_user_is_not_found(root: Client) -> None:
    for pk in ("0", "x", "00000000-0000-0000-0000-000000000000"):
        answer = root.get(user_page(f"{pk}/reset-second-factor/"))
        assert answer.status_code == 404, pk


# The admin's own login ------------------------------------------------------------------------

ADMIN_PAGES = ("/admin/", page_of(Phone), "/admin/password_change/", "/admin/jsi18n/")


def admin_login(client: Client, username: str, next_: str = "/admin/") -> Any:
    return client.post(
        f"/admin/login/?next={next_}", {"username": username, "password": PASSWORD, "next": next_}
    )


def test_no_page_of_the_admin_opens_without_a_code(
    client: Client, superuser: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the receiver is not connected."""
    configure(REQUIRED="staff")
    wanted = page_of(Phone)
    assert admin_login(client, "root", wanted)["Location"] == "/mfa/verify/"
    assert_shut(client)
    for page in (*ADMIN_PAGES, user_page(f"{superuser.pk}/change/")):
        answer = client.get(page)
        assert answer.status_code == 302 or page == "/admin/jsi18n/", page
    client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    assert client.post("/mfa/verify/", {"code": code})["Location"].startswith("/admin/")
    for page in ADMIN_PAGES:
        assert client.get(page).status_code == 200, page


def test_staff_without_a_phone_enrol_one_first(
    client: Client, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="staff")
    make_user("fresh", is_staff=True, is_superuser=True)
    admin_login(client, "fresh")
    assert client.get("/mfa/verify/")["Location"] == "/mfa/phones/add/"
    assert_shut(client)
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    answer = client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/mfa/recovery-codes/?next=/admin/"
    assert client.get("/admin/").status_code == 200


def test_a_session_exempt_before_it_became_staff_owes_a_code_soon(
    client: Client, newcomer: Any, configure: Any
) -> None:
    configure(REQUIRED="staff", RECHECK_SECONDS=0)
    client.force_login(newcomer)
    assert state(client) == "exempt"
    newcomer.is_staff = True
    newcomer.save()
    assert state(client) == "parked"
    assert client.get("/admin/").status_code == 302


POLICIES = ["enrolled", "staff", "all", "never"]
LOGIN_URLS = ["/accounts/login/", "/admin/login/", "/nowhere/"]


def walk(client: Client, answer: Any) -> Any:
    """Follow at most ten redirects. Fail if they lead to the same page twice."""
    visited: list[str] = []
    here = answer.request["PATH_INFO"]
    while answer.status_code == 302:
        here = urljoin(here, answer["Location"])
        assert here not in visited, [*visited, here]
        assert len(visited) < 10, visited
        visited.append(here)
        answer = client.get(here)
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("required", POLICIES)
@pytest.mark.parametrize("login_url", LOGIN_URLS)
@pytest.mark.parametrize("after", ["/account/", "/admin/"])
def test_no_mix_of_settings_leads_a_visitor_into_a_loop_or_a_dead_end(
    db: None, settings: Any, configure: Any, required: str, login_url: str, after: str
) -> None:
    settings.LOGIN_URL, settings.LOGIN_REDIRECT_URL = login_url, after
    configure(REQUIRED=required)
    for start in ("/admin/", "/mfa/verify/", "/mfa/phones/", "/mfa/recovery-code/"):
        assert walk(Client(), Client().get(start)).status_code == 200, start


@pytest.mark.slow
@pytest.mark.parametrize("required", POLICIES)
@pytest.mark.parametrize("login_url", LOGIN_URLS)
@pytest.mark.parametrize("after", ["/account/", "/admin/"])
@pytest.mark.parametrize("is_staff", [True, False], ids=["staff", "member"])
@pytest.mark.parametrize("phone", [True, False], ids=["with a phone", "without"])
def test_no_mix_of_settings_makes_a_loop_or_a_dead_end(
    settings: Any,
    configure: Any,
    bandwidth: Any,
    required: str,
    login_url: str,
    after: str,
    is_staff: bool,
    phone: bool,
) -> None:
    settings.LOGIN_URL, settings.LOGIN_REDIRECT_URL = login_url, after
    configure(REQUIRED=required)
    make_user("ada", *([NUMBER] if phone else []), is_staff=is_staff, is_superuser=is_staff)
    door = "/admin/login/" if is_staff else "/accounts/login/"
    client = Client()
    answer = walk(client, client.post(door, {"username": "ada", "password": PASSWORD}))
    assert answer.status_code == 200
    if state(client) == "parked":
        if not phone:
            client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
        page = "/mfa/verify/" if phone else "/mfa/phones/confirm/"
        answer = walk(client, client.post(page, {"code": bandwidth.inbox[0]["code"]}))
        assert answer.status_code == 200
        assert state(client) == "verified"
    for path in ("/admin/", "/mfa/phones/", "/mfa/verify/", "/mfa/recovery-codes/", "/verified/"):
        assert walk(client, client.get(path)).status_code == 200, path
    client = Client()
    client.post(door, {"username": "ada", "password": PASSWORD})
    if state(client) == "parked":
        assert walk(client, client.post("/mfa/cancel/")).status_code == 200
