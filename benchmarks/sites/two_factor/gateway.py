"""Posts codes to the provider."""

from typing import Any

from benchmarks.sites import sending


class Gateway:
    def send_sms(self, device: Any, token: str) -> None:
        sending.send(device.number.as_e164, token)
