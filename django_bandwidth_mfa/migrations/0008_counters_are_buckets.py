from django.db import migrations, models


class Migration(migrations.Migration):
    # It drops the table in which the version before counts.  To replace that version without a
    # pause, migrate to 0007 first, and to this one when the last old process is gone.

    dependencies = [
        ('bandwidth_mfa', '0007_recovery_codes_scrypt'),
    ]

    operations = [
        migrations.DeleteModel(name='Counter'),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='Counter',
                    fields=[
                        ('key', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='key')),
                        ('moment', models.BigIntegerField(db_index=True, verbose_name='empty at')),
                        ('spare', models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)),
                    ],
                    options={
                        'verbose_name': 'counter',
                        'verbose_name_plural': 'counters',
                        'db_table': 'bandwidth_mfa_bucket',
                    },
                ),
            ],
        ),
    ]
