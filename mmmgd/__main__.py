"""Command line: ``mmmgd <command>`` or ``python -m mmmgd <command>``."""

import argparse
import sys
from collections.abc import Sequence
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
    'train': 'train the model of a config',
    'test': 'evaluate a checkpoint',
    'run': 'run another one of our tools, or list them',
}
# Short for `run train` and `run test`.
TOOLS = ('train', 'test')


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; without one, print the usage and return 2.

    Args:
        argv: Arguments. Defaults to ``sys.argv``.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
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
    name = parser.parse_args(argv[:1]).command
    rest = argv[1:]
    if name in TOOLS:
        name, rest = 'run', argv
    elif name != 'run':  # tools take the flag themselves
        rest = [word for word in rest if word != FLAG]
    with one_message(traceback=FLAG in argv):
        return int(import_module(f'mmmgd.cli.{name}').main(rest))


if __name__ == '__main__':
    sys.exit(main())
