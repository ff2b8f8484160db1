"""``pytest tests/fuzz --hypothesis-profile=thorough`` tries more and new examples each time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough", deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow]
)
