"""Users' objects as bytes, and back."""
