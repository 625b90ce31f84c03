from django.conf import settings
from django.http import HttpRequest


def demo(request: HttpRequest) -> dict[str, object]:
    """Return the address of the simulator's inbox, if there is one, and the demo's users."""
    inbox = f"{settings.SIMULATOR_URL}/inbox" if settings.SIMULATOR_URL else ""
    return {"demo_inbox": inbox, "demo_users": settings.DEMO_USERS}
