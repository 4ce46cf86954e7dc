"""Command line of the package: ``python -m mmmgd <command>``."""

import argparse
import sys
from importlib import import_module

from mmmgd.cli.messages import FLAG, one_message

# name -> one line for the help. Each is a module of mmmgd.cli with a
# `main(argv) -> int`, imported when asked for: `doctor` must run where torch
# does not.
COMMANDS = {
    'doctor': 'say what is installed, and mend what is not',
    'new': 'write the config for a student and a teacher',
    'calibrate': 'measure the weight of each distillation loss',
    'inspect': 'say what would train, and list points',
    'compare': 'compare trainings: the student alone, distilled, the teacher',
}


def main(argv: list[str]) -> int:
    """Run one command; without one, print the usage and return 2."""
    listing = '\n'.join(f'  {n:10}{text}' for n, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog='python -m mmmgd',
        usage='%(prog)s command [arguments] [--traceback]',
        epilog=f'commands:\n{listing}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('command', choices=COMMANDS, metavar='command')
    if not argv:
        parser.print_help(sys.stderr)
        return 2
    # Only the first word is ours; what follows belongs to the command.
    args = parser.parse_args(argv[:1])
    rest = [word for word in argv[1:] if word != FLAG]
    with one_message(traceback=FLAG in argv):
        command = import_module(f'mmmgd.cli.{args.command}')
        return int(command.main(rest))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
