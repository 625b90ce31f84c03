from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone
from django.utils.crypto import salted_hmac

# The keys of 0005, without the user, and the columns of SecondFactor that take them over.
LADDERS = {
    'failures': ('failures', 'try_after'),
    'recovery-failures': ('recovery_failures', 'recovery_after'),
    'cooldown': ('sends', 'send_after'),
}


def name_in_key(pk: object) -> str:
    """Return the text for a user in an old key: a number, a UUID, or otherwise a digest."""
    if isinstance(pk, int | UUID):
        return str(pk)
    digest = salted_hmac('bandwidth_mfa.limits', str(pk), algorithm='sha256').hexdigest()
    return f'~{digest[:40]}'


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def keep_locks(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Copy the locks and waits of users to the new columns.  All other counts start again."""
    alias = schema_editor.connection.alias
    rows = apps.get_model('bandwidth_mfa', 'Counter').objects.using(alias).filter(count__gt=0)
    changes_of_users: dict[str, dict[str, int]] = {}
    now = timezone.now()
    for kind, (count, after) in LADDERS.items():
        for row in rows.filter(key__startswith=f'{kind}:').iterator():
            changes = changes_of_users.setdefault(row.key.partition(':')[2], {})
            changes[count] = row.count
            changes[after] = microseconds(row.until) if row.until > now else 0
    if not changes_of_users:
        return
    # The text in a key may be a digest, so the key of each user is compared with it.
    user_model = apps.get_model(settings.AUTH_USER_MODEL)
    second_factors = apps.get_model('bandwidth_mfa', 'SecondFactor').objects.using(alias)
    for pk in user_model._base_manager.using(alias).values_list('pk', flat=True).iterator():
        if name_in_key(pk) in changes_of_users:
            second_factors.update_or_create(pk=pk, defaults=changes_of_users[name_in_key(pk)])


class Migration(migrations.Migration):
    # The version before goes on with its own table of counters while it is replaced.  0008 drops
    # that table.

    dependencies = [
        ('bandwidth_mfa', '0005_indexes_in_use'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='secondfactor',
            name='sends',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='codes sent in a row'),
        ),
        migrations.AddField(
            model_name='secondfactor',
            name='send_after',
            field=models.BigIntegerField(db_default=0, default=0, verbose_name='next code after'),
        ),
        migrations.AddField(
            model_name='secondfactor',
            name='failures',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='wrong codes in a row'),
        ),
        migrations.AddField(
            model_name='secondfactor',
            name='try_after',
            field=models.BigIntegerField(db_default=0, default=0, verbose_name='next try after'),
        ),
        migrations.AddField(
            model_name='secondfactor',
            name='recovery_failures',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='wrong recovery codes in a row'),
        ),
        migrations.AddField(
            model_name='secondfactor',
            name='recovery_after',
            field=models.BigIntegerField(db_default=0, default=0, verbose_name='next recovery code after'),
        ),
        migrations.AddIndex(
            model_name='secondfactor',
            index=models.Index(fields=['failures'], name='bandwidth_mfa_failures'),
        ),
        migrations.AddField(
            model_name='challenge',
            name='taken',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='challenge',
            name='provider_id',
            field=models.CharField(blank=True, help_text='The messageId of a text message; empty where no receipt will name it.', max_length=200, verbose_name="Bandwidth's id"),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.CreateModel(
                    name='Bucket',
                    fields=[
                        ('key', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='key')),
                        ('moment', models.BigIntegerField(db_index=True, verbose_name='empty at')),
                        ('spare', models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)),
                    ],
                    options={'db_table': 'bandwidth_mfa_bucket'},
                ),
            ],
        ),
        migrations.RunPython(keep_locks, migrations.RunPython.noop, hints={'model_name': 'secondfactor'}),
    ]
