from django.conf import settings
from django.http import HttpRequest


def demo(request: HttpRequest) -> dict[str, object]:
    """Where codes arrive while the simulator stands in for Bandwidth, and whom to sign in as."""
    inbox = f"{settings.SIMULATOR_URL}/inbox" if settings.SIMULATOR_URL else ""
    return {"demo_inbox": inbox, "demo_users": settings.DEMO_USERS}
