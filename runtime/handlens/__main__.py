"""`python -m handlens` is the `handlens` command."""

from handlens.cli import main

if __name__ == "__main__":
    main()
