import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TokenLogin',
            fields=[
                ('digest', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('signed_in_at', models.DateTimeField(blank=True, null=True)),
                ('method', models.CharField(blank=True, max_length=20)),
                ('verified_at', models.DateTimeField(blank=True, null=True)),
                ('phone', models.CharField(blank=True, max_length=64)),
                ('password_digest', models.CharField(blank=True, max_length=64)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bandwidth_mfa_token_logins', to=settings.AUTH_USER_MODEL)),
            ],
        ),
    ]
