import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def user_indexes(model: type[models.Model], connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the indexes on the column user_id alone; there are none on MariaDB."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return [
        name
        for name, one in constraints.items()
        if one['index'] and one['columns'] == ['user_id'] and not (one['unique'] or one['foreign_key'])
    ]


def drop_user_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model('bandwidth_mfa', 'Challenge')
    for name in user_indexes(model, schema_editor.connection):
        schema_editor.remove_index(model, models.Index(fields=['user'], name=name))


def add_user_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model('bandwidth_mfa', 'Challenge')
    schema_editor.add_index(model, models.Index(fields=['user'], name='bandwidth_mfa_user'))


class Migration(migrations.Migration):
    # Django's own AlterField would also drop the foreign key and build it again, which reads the
    # whole table under a lock (PostgreSQL), or copy the table (SQLite).  Dropping an index takes a
    # moment.

    dependencies = [
        ('bandwidth_mfa', '0004_phone_channel'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                # The hint is for a site's router, which may place each model.
                migrations.RunPython(drop_user_index, add_user_index, hints={'model_name': 'challenge'}),
            ],
            state_operations=[
                migrations.AlterField(
                    model_name='challenge',
                    name='user',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='bandwidth_mfa_challenges', to=settings.AUTH_USER_MODEL, verbose_name='user'),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name='recoverycode',
            index=models.Index(fields=['used_at'], name='bandwidth_mfa_used'),
        ),
    ]
