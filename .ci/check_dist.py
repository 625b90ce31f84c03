"""Check that wheel and sdist contain everything that an installed app needs."""

import sys
import tarfile
import zipfile
from pathlib import Path

NEEDED = [
    "django_bandwidth_mfa/py.typed",
    "django_bandwidth_mfa/templates/bandwidth_mfa/verify.html",
    "django_bandwidth_mfa/static/bandwidth_mfa/mfa.css",
    "django_bandwidth_mfa/static/bandwidth_mfa/delivery.js",
    "django_bandwidth_mfa/management/commands/mfa_reset.py",
    *map(str, Path("django_bandwidth_mfa/locale").glob("*/LC_MESSAGES/django.mo")),
    "django_bandwidth_mfa/internal/regions/ar.json",
    "django_bandwidth_mfa/internal/regions/LICENSE.unicode",
    "django_bandwidth_mfa/migrations/0001_initial.py",
    "django_bandwidth_mfa/contrib/otp/migrations/0001_initial.py",
    "django_bandwidth_mfa/contrib/rest_framework/migrations/0001_initial.py",
    "django_bandwidth_mfa/simulator/inbox.css",
]

# The tests in the sdist read these files.
NEEDED_IN_SDIST = [
    ".ci/run",
    ".github/workflows/ci.yml",
    ".pre-commit-config.yaml",
    "CONTRIBUTING.md",
    "noxfile.py",
    "tests/public_api.txt",
]

dist = Path(sys.argv[1])
[wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
held = {
    "wheel": set(zipfile.ZipFile(wheel).namelist()),
    "sdist": {name.partition("/")[2] for name in tarfile.open(sdist).getnames()},  # noqa: SIM115
}
needed = {"wheel": NEEDED, "sdist": NEEDED + NEEDED_IN_SDIST}
missing = [(kind, name) for kind in held for name in needed[kind] if name not in held[kind]]
if missing:
    sys.exit(f"missing: {missing}")
print(f"{wheel.name}: {len(held['wheel'])} files; {sdist.name}: {len(held['sdist'])} files")
