from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def delete_codes_under_scrypt(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Delete these codes on a reverse migration: without the salt they can never pass."""
    model = apps.get_model('bandwidth_mfa', 'RecoveryCode')
    rows = model._default_manager.using(schema_editor.connection.alias)
    rows.filter(selector__isnull=False).delete()


class Migration(migrations.Migration):
    # Columns with constant defaults, which PostgreSQL and MariaDB add without rewriting the table.
    # The codes that are there keep their digests and go on working.

    dependencies = [
        ('bandwidth_mfa', '0006_buckets_and_ladders'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='recoverycode',
            name='selector',
            field=models.CharField(editable=False, max_length=2, null=True),
        ),
        migrations.AddField(
            model_name='recoverycode',
            name='salt',
            field=models.CharField(db_default='', default='', editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name='recoverycode',
            name='scrypt_n',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='recoverycode',
            name='scrypt_r',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='recoverycode',
            name='scrypt_p',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddConstraint(
            model_name='recoverycode',
            constraint=models.UniqueConstraint(fields=('user', 'selector'), name='bandwidth_mfa_selector_once'),
        ),
        # The last operation is the first one on the way back.  The hint is for a site's router, which
        # may place each model.
        migrations.RunPython(
            migrations.RunPython.noop, delete_codes_under_scrypt, hints={'model_name': 'recoverycode'}
        ),
    ]
