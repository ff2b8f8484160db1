"""The provider for Amazon EC2."""
