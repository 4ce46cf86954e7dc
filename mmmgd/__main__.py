"""Command line of the package: ``python -m mmmgd <command>``."""

import argparse
import sys
from importlib import import_module

# name -> (module with a `main(argv) -> int`, one line for the help). Modules
# are imported when asked for: `doctor` must run where torch does not.
COMMANDS = {
    'doctor': ('mmmgd.doctor', 'say what is installed, and mend what is not'),
    'inspect': ('mmmgd.inspection', 'list points, and say what would train'),
}


def main(argv: list[str]) -> int:
    """Runs one command; without one, prints the usage and returns 2."""
    listing = '\n'.join(f'  {n:10}{text}' for n, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog='python -m mmmgd',
        epilog=f'commands:\n{listing}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('command', choices=COMMANDS, metavar='command')
    if not argv:
        parser.print_help(sys.stderr)
        return 2
    # Only the first word is ours; what follows belongs to the command.
    args = parser.parse_args(argv[:1])
    return int(import_module(COMMANDS[args.command][0]).main(argv[1:]))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
