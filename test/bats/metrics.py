"""Reads metrics files as Prometheus' Python client does, and more strictly: metrics.py samples FILE… |
metrics.py watch FILE PID."""
import os
import sys
import time

from prometheus_client.parser import text_string_to_metric_families

FAMILIES = ['tsfn_guard_info', 'tsfn_guard_running', 'tsfn_guard_events_by_severity', 'tsfn_guard_events',
            'tsfn_guard_handles', 'tsfn_guard_queued_items',
            # The parser removes _total.
            'tsfn_guard_created', 'tsfn_guard_finalized', 'tsfn_guard_reports_not_logged']
SOMETIMES = ['tsfn_guard_calls']  # with publish=1


def parse(text, name):
    """The samples of one file; an exception where it is not whole."""
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    if [name for name in names if name not in SOMETIMES] != FAMILIES or not text.endswith('\n'):
        raise SystemExit(f'{name} is not whole: {names}, {len(text)} bytes')
    for family in families:
        if not family.documentation or family.type not in ('gauge', 'counter'):
            raise SystemExit(f'{family.name} lacks HELP or TYPE')
    return [sample for family in families for sample in family.samples]


def read(path):
    with open(path, encoding='utf-8', errors='strict') as file:
        return file.read()


def show(sample):
    labels = [f'{name}={value}' for name, value in sorted(sample.labels.items())]
    return ' '.join([sample.name, *labels, f'{sample.value:.0f}'])


def samples(paths):
    series = {}
    for path in paths:
        for sample in parse(read(path), path):
            key = (sample.name, frozenset(sample.labels.items()))
            if key in series:
                raise SystemExit(f'twice: {show(sample)}')
            series[key] = show(sample)
    print('\n'.join(sorted(series.values())))


def is_running(pid):
    """The shell that waits for it may be faster, so it may be gone, not only dead."""
    try:
        return ') Z ' not in read(f'/proc/{pid}/stat')
    except (FileNotFoundError, ProcessLookupError):
        return False


def watch(path, pid):
    """Reads as fast as it can for as long as the process runs."""
    versions, readings = [], 0
    while not os.path.exists(path):
        time.sleep(0.001)
    while is_running(pid):
        written = os.stat(path).st_mtime_ns
        parse(read(path), path)
        readings += 1
        if not versions or versions[-1] != written:
            versions.append(written)
    gaps = [(after - before) / 1e9 for before, after in zip(versions, versions[1:])]
    if any(gap < 0.98 for gap in gaps[:-1]):
        raise SystemExit(f'more than once a second: {gaps}')
    print(f'{len(versions)} versions in {readings} readings')


if sys.argv[1] == 'samples':
    samples(sys.argv[2:])
else:
    watch(sys.argv[2], int(sys.argv[3]))
