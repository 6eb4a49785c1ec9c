# Prints the last events of a guarded process as a table, from a core dump or a running process:
#
#   gdb -batch -x ring.gdb NODE CORE
#   gdb -batch -x ring.gdb -p PID
#
# It reads raw memory with the layout of include/tsfn_guard/ring.h, so it needs neither the debug
# information nor the sources of the library. If the library's file is missing, it searches the core
# for the ring. It needs a gdb with Python. If there is no ring that it can read, it prints a
# message on stderr and exits with status 1.
set pagination off
set confirm off

python
import datetime
import re
import struct
import sys

SYMBOL = 'tsfn_guard_ring'
MAGIC = b'tsfn-guard ring\0'
VERSION = 1
HEADER = struct.Struct('=16sIIIIQ')
RECORD = struct.Struct('=QQIiQQQQIi32s64s')

# The names in src/diag/catalogue.c, by number from 1.
KINDS = '''call-after-finalize acquire-after-finalize release-after-finalize get-context-after-finalize
ref-after-finalize unref-after-finalize stale-handle never-a-handle null-handle null-result release-after-closing
over-release more-threads-than-counts call-without-count blocking-call-on-own-loop blocked-callers-at-close
foreign-ref items-undelivered never-released keeps-alive long-queue slow-finalizer pending-exception
javascript-forbidden addon-pinned not-armed handles-used-up exception-caught items-dropped
throw-ignored false-answer finalizer-left-out'''.split()

# The names in js_native_api_types.h, by number from 0.
STATUSES = '''napi_ok napi_invalid_arg napi_object_expected napi_string_expected napi_name_expected
napi_function_expected napi_number_expected napi_boolean_expected napi_array_expected napi_generic_failure
napi_pending_exception napi_cancelled napi_escape_called_twice napi_handle_scope_mismatch
napi_callback_scope_mismatch napi_queue_full napi_closing napi_bigint_expected napi_date_expected
napi_arraybuffer_expected napi_detachable_arraybuffer_expected napi_would_deadlock
napi_no_external_buffers_allowed napi_cannot_run_js'''.split()


class Unreadable(Exception):
    """What was needed, what was found, what to do."""


def read(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.MemoryError:
        raise Unreadable(f'needed: the {size} bytes at {address:#x}, where {SYMBOL} is\n  found: they are not in '
                         'the core\n  do: dump anonymous private memory too: bit 0 of /proc/PID/coredump_filter')


def output(command):
    """What a gdb command prints; '' if it fails."""
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error:
        return ''


def search_core():
    """The address of the ring in the core's memory; None: it is not there."""
    for start, end in re.findall(r'(0x[0-9a-f]+) - (0x[0-9a-f]+) is load', output('info files')):
        start, end = int(start, 16), int(end, 16)
        while start < end:
            try:
                found = gdb.selected_inferior().search_memory(start, end - start, MAGIC)
            except gdb.error:
                break
            if found is None:
                break
            header = HEADER.unpack(read(found, HEADER.size))
            if header[1] == VERSION and header[2] == RECORD.size:
                return found
            start = found + 1
    return None


def find_ring():
    if gdb.selected_inferior().pid == 0:
        raise Unreadable('needed: a core dump or a process\n  found: neither\n  do: gdb -batch -x ring.gdb NODE '
                         'CORE, or with -p PID')
    try:
        return int(gdb.parse_and_eval(f'(unsigned long)&{SYMBOL}'))
    except gdb.error:
        address = search_core()
    if address is None:
        raise Unreadable(f'needed: the symbol {SYMBOL}, or the ring itself in the core\n  found: neither\n  do: see that '
                         'libtsfnguard.so was preloaded, and name the node binary that made the core')
    return address


def read_ring():
    address = find_ring()
    magic, version, record_size, count, _, following = HEADER.unpack(read(address, HEADER.size))
    if magic != MAGIC:
        raise Unreadable(f'needed: {MAGIC!r} at {address:#x}\n  found: {magic!r}\n  do: see that node and the library are '
                         'the files that made the core')
    if version != VERSION or record_size != RECORD.size:
        raise Unreadable(f'needed: version {VERSION} of the ring, with records of {RECORD.size} bytes\n  found: version '
                         f'{version}, {record_size} bytes\n  do: use ring.gdb of the guard that made the core')
    records = list(RECORD.iter_unpack(read(address + HEADER.size, count * RECORD.size)))
    return sorted(record for record in records if record[0] != 0), following


def read_mappings():
    """(start, end, path) of each mapped file."""
    line = re.compile(r'^\s*0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+\s+(?:[-rwxps]{4}\s+)?(/.*\S)')
    found = [line.match(text) for text in output('info proc mappings').splitlines()]
    return [(int(one[1], 16), int(one[2], 16), one[3]) for one in found if one]


def place_of(caller, file, mappings):
    """A code address as file+offset, as in reports. Without a mapping, what the record contains."""
    for start, end, path in mappings:
        if start <= caller < end:
            base = min(first for first, _, other in mappings if other == path)
            return f'{path}+{caller - base:#x}'
    return file + (f' ({caller:#x})' if caller else '') if file else f'{caller:#x}' if caller else '-'


def text_of(field):
    text = field.split(b'\0')[0].decode('utf-8', 'replace')
    return ''.join(char if char.isprintable() else '?' for char in text)


def time_of(nanoseconds):
    time = datetime.datetime.fromtimestamp(nanoseconds // 10**9, datetime.timezone.utc)
    return f'{time:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 10**6 % 1000:03}Z'


def kind_of(kind):
    return f'TSG{kind:03} ' + (KINDS[kind - 1] if 1 <= kind <= len(KINDS) else '(newer than this script)')


def status_of(answer):
    return '-' if answer < 0 else STATUSES[answer] if answer < len(STATUSES) else str(answer)


def handle_of(kind, handle, number):
    """The handle's number; for a value that never was a handle, that value."""
    never = kind in (KINDS.index('never-a-handle') + 1, KINDS.index('null-handle') + 1)
    return f'{handle:#x}' if never else str(number) if handle else '-'


def row_of(record, mappings):
    sequence, time, kind, thread, handle, caller, number, _, _, answer, name, file = record
    return [str(sequence), time_of(time), kind_of(kind), str(thread), place_of(caller, text_of(file), mappings),
            handle_of(kind, handle, number), text_of(name) or '-', status_of(answer)]


def print_table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    records, following = read_ring()
    happened = following - 1
    print(f'{SYMBOL}: {happened} events were reported, the last {len(records)} of them are here')
    if not records:
        return
    mappings = read_mappings()
    print_table([['#', 'time', 'event', 'thread', 'caller', 'handle', 'name', 'answered']] +
                [row_of(record, mappings) for record in records])


try:
    main()
except Unreadable as error:
    sys.stdout.flush()
    sys.stderr.write(f'ring.gdb: {error}\n')
    gdb.execute('quit 1')
end
