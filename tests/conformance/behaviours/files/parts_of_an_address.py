"""The parts of a File."""

from observe import error_of

from parsl.data_provider.files import File

for address in ("http://host:80/a/b.txt", "file:///a/b.txt", "b.txt", "zip:/a.zip/b.txt"):
    file = File(address)
    print(file.scheme, file.netloc, file.path, file.filename, error_of(file.__str__))

# prints:
# http host:80 /a/b.txt b.txt ValueError
# file  /a/b.txt b.txt returns '/a/b.txt'
# file  b.txt b.txt returns 'b.txt'
# zip  /a.zip/b.txt b.txt ValueError
