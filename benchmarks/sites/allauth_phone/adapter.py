"""The methods that django-allauth requires of a site for logins by phone."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter

from benchmarks.sites import sending
from benchmarks.sites.allauth_phone.models import PhoneNumber


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    def set_phone(self, user: Any, phone: str, verified: bool) -> None:
        PhoneNumber.objects.update_or_create(
            user=user, defaults={"number": phone, "verified": verified}
        )

    def get_phone(self, user: Any) -> tuple[str, bool] | None:
        phone_number = PhoneNumber.objects.filter(user=user).first()
        return (phone_number.number, phone_number.verified) if phone_number else None

    def set_phone_verified(self, user: Any, phone: str) -> None:
        self.set_phone(user, phone, True)

    def get_user_by_phone(self, phone: str) -> Any:
        phone_number = PhoneNumber.objects.filter(number=phone).select_related("user").first()
        return phone_number.user if phone_number else None

    def send_verification_code_sms(self, user: Any, phone: str, code: str, **kwargs: Any) -> None:
        sending.send(phone, code)
