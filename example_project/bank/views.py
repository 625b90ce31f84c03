"""The bank's pages. Only the transfer needs a decorator of the app."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from django_bandwidth_mfa.decorators import mfa_required

from .forms import TransferForm


class Transaction(NamedTuple):
    day: date
    payee: str
    amount: Decimal


BALANCE = Decimal("4812.60")
TRANSACTIONS = (
    Transaction(date(2026, 3, 12), "Quayside Grocers", Decimal("-38.15")),
    Transaction(date(2026, 3, 11), "Wages, Tidewater Chandlery", Decimal("2140.00")),
    Transaction(date(2026, 3, 9), "Pilot Boat Repairs", Decimal("-260.00")),
    Transaction(date(2026, 3, 2), "Rent, 4 Lighthouse Row", Decimal("-985.00")),
)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "bank/home.html")


@login_required  # only for users who need no further code
def account(request: HttpRequest) -> HttpResponse:
    context = {"balance": BALANCE, "transactions": TRANSACTIONS}
    return render(request, "bank/account.html", context)


@mfa_required(max_age=60)  # a transfer needs a code from the last minute
def transfer(request: HttpRequest) -> HttpResponse:
    form = TransferForm(request.POST or None)
    if form.is_valid():
        amount, payee = form.cleaned_data["amount"], form.cleaned_data["payee"]
        messages.success(request, f"${amount:,.2f} is on its way to {payee}. (It is only a demo.)")
        return redirect("account")
    return render(request, "bank/transfer.html", {"form": form, "balance": BALANCE})
