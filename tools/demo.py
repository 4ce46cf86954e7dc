"""Starts the demonstration: see ``tools/demo/``."""

from demo.run import main  # the folder beside this file

if __name__ == '__main__':
    main()
