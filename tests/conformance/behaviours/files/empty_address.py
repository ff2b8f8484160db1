"""A File without an address."""

from observe import error_of

from parsl.data_provider.files import File

print(error_of(lambda: type(File("")).__name__, ValueError))

# prints:
# ValueError
#
# upstream prints:
# returns 'File'
