"""A user's whole life with the second factor, from the first phone to the reset by staff."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from django_bandwidth_mfa.models import Phone, RecoveryCode, TrustedBrowser

from .browsing import assert_shut, give_password, state
from .conftest import NUMBER, OTHER_NUMBER, PASSWORD, make_user

pytestmark = pytest.mark.django_db

DAY = 86_400


def test_a_whole_life(bandwidth: Any, configure: Any, mailoutbox: Any) -> None:
    configure(REQUIRED="all", TRUST_DAYS=30)
    user = make_user("ada")
    phone, laptop = Client(), Client()

    def code_for(number: str) -> str:
        code: str = next(one["code"] for one in bandwidth.inbox if one["to"] == number)
        return code

    with time_machine.travel(1_800_000_000, tick=False) as clock:
        # She enrols at her first login, and writes her recovery codes down.
        give_password(phone, user, "/account/")
        phone.post("/mfa/phones/add/", {"number": NUMBER})
        answer = phone.post("/mfa/phones/confirm/", {"code": code_for(NUMBER)}, follow=True)
        paper = re.findall(r"(?:[0-9A-Z]{4}-){2}[0-9A-Z]{4}", answer.content.decode())
        assert len(paper) == 10
        assert state(phone) == "verified"

        # She signs in on her laptop.
        clock.shift(DAY)
        give_password(laptop, user, "/account/")
        assert_shut(laptop)
        laptop.get("/mfa/verify/")
        assert laptop.post("/mfa/verify/", {"code": code_for(NUMBER)})["Location"] == "/account/"
        laptop.post("/accounts/logout/")

        # She loses the phone: a recovery code lets her in, once.
        clock.shift(DAY)
        give_password(laptop, user)
        laptop.post("/mfa/recovery-code/", {"recovery_code": paper[0]})
        assert laptop.get("/whoami/").json()["method"] == "recovery_code"
        thief = Client()
        give_password(thief, user)
        thief.post("/mfa/recovery-code/", {"recovery_code": paper[0]})
        assert_shut(thief)

        # A new phone replaces the old one. The session on the lost phone ends.
        old = Phone.objects.get()
        laptop.post("/mfa/phones/add/", {"number": OTHER_NUMBER, "phone": old.choice})
        laptop.post("/mfa/phones/confirm/", {"code": code_for(OTHER_NUMBER)})
        assert [one.number for one in Phone.objects.all()] == [OTHER_NUMBER]
        clock.shift(300)
        assert state(phone) == "parked"
        assert state(laptop) == "verified"

        # She trusts her laptop, and needs no code there from now on.
        laptop.post("/accounts/logout/")
        clock.shift(DAY)
        give_password(laptop, user)
        laptop.get("/mfa/verify/")
        laptop.post("/mfa/verify/", {"code": code_for(OTHER_NUMBER), "trust": "on"})
        laptop.post("/accounts/logout/")
        clock.shift(DAY)
        sent = len(bandwidth.inbox)
        give_password(laptop, user)
        assert laptop.get("/whoami/").json()["method"] == "trusted_browser"
        assert len(bandwidth.inbox) == sent

        # She changes her password. She needs a code on the laptop again.
        user.refresh_from_db()
        user.set_password("a better one")
        user.save()
        clock.shift(DAY)
        laptop.post("/accounts/login/", {"username": "ada", "password": "a better one"})
        assert_shut(laptop)

        # Her house burns down. Staff reset her second factor, and she enrols again.
        call_command("mfa_reset", "ada", "--forget-phones", verbosity=0)
        assert not Phone.objects.exists()
        assert not RecoveryCode.objects.exists()
        assert not TrustedBrowser.objects.exists()
        laptop = Client()
        laptop.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
        assert state(laptop) == "anonymous"
        laptop.post("/accounts/login/", {"username": "ada", "password": "a better one"})
        assert laptop.get("/mfa/verify/")["Location"] == "/mfa/phones/add/"
        laptop.post("/mfa/phones/add/", {"number": "+12025550188"})
        laptop.post("/mfa/phones/confirm/", {"code": code_for("+12025550188")})
        assert state(laptop) == "verified"

    assert [mail.subject.partition("] ")[2] or mail.subject for mail in mailoutbox] == [
        "A phone was added to your account",
        "New recovery codes were made",
        "A recovery code was used",
        "A phone was removed from your account",
        "A phone was added to your account",
        "A browser is now trusted",
        "Our staff reset your sign-in codes",
        "A phone was added to your account",
    ]
