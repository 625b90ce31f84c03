from django.db import migrations, models


class Migration(migrations.Migration):
    # One column with a constant default, which PostgreSQL and MariaDB add without rewriting the table.

    dependencies = [
        ('bandwidth_mfa', '0003_second_factors'),
    ]

    operations = [
        migrations.AddField(
            model_name='phone',
            name='channel',
            field=models.CharField(blank=True, choices=[('sms', 'text message'), ('voice', 'phone call')], db_default='', default='', help_text='How codes go to it; empty for the first way that the site has set up.', max_length=5, verbose_name='preferred channel'),
        ),
    ]
