"""Runs a study, or sums it up: see ``tools/study/``."""

from study.run import main  # the folder beside this file

if __name__ == '__main__':
    main()
