"""The command line as `python -m accelsim`."""

from accelsim.cli import main

if __name__ == "__main__":
    main()
