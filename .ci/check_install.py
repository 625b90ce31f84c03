"""Follow the README's five steps on a project that `startproject` makes, in a new environment."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

dist, site = Path(sys.argv[1]), Path(sys.argv[2])
readme = (Path(__file__).parent.parent / "README.md").read_text()
steps = readme[readme.index("**1.**") : readme.index("That is all")]
settings_code, urls_code = re.findall(r"```python\n(.*?)```", steps, re.DOTALL)
exports = dict(re.findall(r"^export (\w+)=(.*)$", steps, re.MULTILINE))

site.mkdir()
venv.create(site / "env", with_pip=True)
python = site / "env" / "bin" / "python"
[wheel] = dist.glob("*.whl")


def run(*arguments: object, **environment: str) -> str:
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=site,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{arguments} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


run(python, "-m", "pip", "install", "-q", wheel)
run(python, "-m", "django", "startproject", "mysite", ".")
for name, code in (("settings.py", settings_code), ("urls.py", urls_code)):
    with (site / "mysite" / name).open("a") as file:
        file.write("\n" + code)
run(python, "manage.py", "migrate", "-v", "0", **exports)
print(run(python, "manage.py", "check", **exports).strip())
tried = """
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_bandwidth_mfa.models import Phone
user = User.objects.create_superuser("ada", password="pw")
Phone.objects.create(user=user, number="+12025550142", is_primary=True, confirmed_at=timezone.now())
client = Client(headers={"host": "localhost"})
answer = client.post("/admin/login/?next=/admin/", {"username": "ada", "password": "pw"})
assert answer["Location"] == "/mfa/verify/", answer
assert client.get("/admin/").status_code == 302
print("the admin of a fresh site is shut until the code")
"""
print(run(python, "manage.py", "shell", "-v", "0", "-c", tried, **exports).strip())
