#!/usr/bin/env python3
"""Checks that dependencies in src/ point one way.

A folder may include only certain other folders, and there must be no circle between files. A pair
of NAME.c and NAME.h is one module. Prints what is wrong, and exits with 1 if anything is. With
--table, it prints for each module which modules it includes, for docs/design.md.
"""
import pathlib
import re
import sys

# Which folders a folder may include, besides itself and include/. Each subcommand has its own
# folder.
MAY_INCLUDE = {
    'base': '',
    'elf': '',
    'core': 'base',
    'diag': 'base core',
    'options': 'base core diag',
    'preload': 'base core diag elf options',
    'npm': 'preload',
    'command': 'command/common',
    'command/common': 'base',
    'command/run': 'command command/common options',
    'command/doctor': 'command command/common base diag options',
    'command/explain': 'command command/common',
    'command/report': 'command command/common base diag',
    'command/scan': 'command command/common base',
    'command/status': 'command command/common base diag',
    'command/top': 'command command/common base diag options',
    'command/triage': 'command command/common base diag options',
}

SRC = pathlib.Path(__file__).resolve().parent.parent / 'src'


def folder_of(module):
    return module.rsplit('/', 1)[0]


def find_modules():
    """Finds the modules that each module includes. A module is 'folder/name'."""
    modules = {}
    for path in sorted(SRC.rglob('*.[ch]')):
        name = str(path.relative_to(SRC).with_suffix(''))
        for included in re.findall(r'#include "([^"]+)\.h"', path.read_text()):
            if included != name and not included.startswith('tsfn_guard/'):
                modules.setdefault(name, set()).add(included)
    return modules


def folder_faults(modules):
    for module, included in modules.items():
        folder = folder_of(module)
        for other in sorted(included):
            where = folder_of(other)
            if where != folder and where not in MAY_INCLUDE.get(folder, '').split():
                yield f'needed: src/{folder} includes nothing of src/{where}\n  found: {module} includes {other}.h'


def find_circle(modules):
    """Returns a circle as a list of modules. None: there is none."""
    done = set()

    def visit(module, path):
        if module in path:
            return path[path.index(module):] + [module]
        if module in done:
            return None
        for other in sorted(modules.get(module, ())):
            circle = visit(other, path + [module])
            if circle:
                return circle
        done.add(module)
        return None

    return next(filter(None, (visit(module, []) for module in sorted(modules))), None)


def print_table(modules):
    print('| folder | module | includes |\n|---|---|---|')
    for module, included in sorted(modules.items()):
        folder = folder_of(module)
        inside = [other.rsplit('/', 1)[1] for other in sorted(included) if folder_of(other) == folder]
        outside = [other for other in sorted(included) if folder_of(other) != folder]
        print(f'| {folder} | {module.rsplit("/", 1)[1]} | {", ".join(inside + outside)} |')


def main():
    modules = find_modules()
    if sys.argv[1:] == ['--table']:
        print_table(modules)
        return 0
    faults = list(folder_faults(modules))
    circle = find_circle(modules)
    if circle:
        faults.append('needed: no circle of includes\n  found: ' + ' -> '.join(circle))
    for fault in faults:
        print(f'includes.py: {fault}\n  do: move what both need below both, or hand it over as a function pointer')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
