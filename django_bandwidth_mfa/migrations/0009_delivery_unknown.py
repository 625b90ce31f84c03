from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('bandwidth_mfa', '0008_counters_are_buckets'),
    ]

    operations = [
        migrations.AlterField(
            model_name='challenge',
            name='delivery',
            field=models.CharField(blank=True, choices=[('delivered', 'delivered'), ('failed', 'failed'), ('unknown', 'unknown')], help_text="What Bandwidth's receipt said, or that Bandwidth did not answer; empty where none has come.", max_length=10, verbose_name='delivery'),
        ),
    ]
