"""Plants small errors one at a time, runs the tests that concern their file, and counts.

python -m tests.mutation --sample 200                  of all files, chosen by --seed
python -m tests.mutation rtl/lib --operators width     all narrowed widths of a folder
python -m tests.mutation --again                       the survivors so far, with the tests of now

Every mutant is planted in a copy of the tree. What is known is kept in the log, so that a run goes
on where it was stopped, and a mutant whose file and text are the same is not tried twice.
"""

import argparse
import sys
from pathlib import Path
from random import Random

from tests.mutation.equivalent import reasons
from tests.mutation.operators import OPERATORS, Mutant, mutants
from tests.mutation.report import report
from tests.mutation.run import Log, run
from tests.mutation.targets import files

TOP = Path(__file__).parents[2]


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        "python -m tests.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paths", nargs="*", help="files or folders (default: all of tests.mutation.targets.SCOPE)")
    add("--operators", nargs="+", choices=OPERATORS, default=[*OPERATORS], metavar="OPERATOR",
        help=f"kinds of errors: {', '.join(OPERATORS)} (default: all)")  # fmt: skip
    add("--sample", type=int, help="so many mutants of all, chosen at random")
    add("--seed", type=int, default=0, help="of the sample (default: 0)")
    add("--jobs", type=int, default=1, help="mutants at the same time (default: 1)")
    add("--again", action="store_true", help="try survivors of the log again, and nothing else")
    add("--log", type=Path, default=TOP / "build" / "mutation.jsonl",
        help="what is known (default: build/mutation.jsonl)")  # fmt: skip
    return parser.parse_args()


def chosen(options: argparse.Namespace, log: Log) -> list[Mutant]:
    """The mutants that are asked for; of a sample as drawn, so that a part is a sample too."""
    operators = tuple(options.operators)
    every = [
        mutant
        for path in files(TOP, options.paths)
        for mutant in mutants(path, (TOP / path).read_bytes(), operators)
    ]
    if options.again:
        return [mutant for mutant in every if log.verdict(mutant) == "survived"]
    if options.sample is None:
        return every
    return Random(options.seed).sample(every, min(options.sample, len(every)))


def main() -> int:
    """Exit status: 1 if a mutant survives that no reason calls equivalent."""
    options = arguments()
    log = Log(options.log, TOP)
    asked = chosen(options, log)
    equivalent = reasons()
    tried = [
        mutant
        for mutant in asked
        if (mutant.path, mutant.before, mutant.after) not in equivalent
        and (options.again or log.verdict(mutant) is None)
    ]
    run(TOP, tried, options.jobs, log)
    return report(asked, equivalent, log)


if __name__ == "__main__":
    sys.exit(main())
