from decimal import Decimal

from django import forms

PAYEES = ("Quayside Grocers", "Pilot Boat Repairs", "Rent, 4 Lighthouse Row")


class TransferForm(forms.Form):
    payee = forms.ChoiceField(label="To", choices=[(name, name) for name in PAYEES])
    amount = forms.DecimalField(
        label="Amount in dollars",
        min_value=Decimal("0.01"),
        max_value=Decimal("4812.60"),
        decimal_places=2,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={
            "min_value": "Send one cent or more.",
            "max_value": "You have $4,812.60. Send that much or less.",
        },
    )
