"""``pytest tests/fuzz --hypothesis-profile=thorough`` looks long, and for new examples each time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough", deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow]
)
