"""Entry point of `python -m hupan`."""

from hupan.cli.main import main

if __name__ == "__main__":
    main()
