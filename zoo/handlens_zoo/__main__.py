"""``python -m handlens_zoo`` lists the artifacts; with a name, it prints where that one lies."""

import sys

from handlens_zoo import ZooError, names, path


def main(arguments: list[str]) -> int:
    """Prints every name, or the path of the one asked for. Returns the exit status."""
    try:
        print("\n".join(names() if not arguments else (str(path(name)) for name in arguments)))
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
