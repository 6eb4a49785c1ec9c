#!/usr/bin/env python3
"""Makes small single faults ("mutants") of src/core/*.c for scripts/mutate.sh --random:

  mutants.py list ROOT SEED      all of them, in the seed's order, one per line, tab-separated:
                                 number, file, line, kind, 1 if it is marked as equivalent (else 0), old, new
  mutants.py apply ROOT TREE N   puts mutant number N of ROOT into the copy in TREE
  mutants.py check ROOT          fails if test/equivalent-mutants.txt has a block that is no longer a mutant

The source is only tokenized, not parsed. So the caller must skip a fault that does not compile.
"""
import pathlib
import random
import re
import signal
import sys

TOKEN = re.compile(r'''(?P<space>\s+|//[^\n]*|/\*.*?\*/|^\#(?:[^\n\\]|\\.)*$)
                     | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
                     | (?P<number>\d\w*)
                     | (?P<name>[A-Za-z_]\w*)
                     | (?P<sign><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)''',
                   re.X | re.S | re.M)
OTHERS = {
    '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'], '==': ['!='], '!=': ['=='],
    '++': ['--'], '--': ['++'], '+=': ['-='], '-=': ['+='], '&&': ['||'], '||': ['&&'],
    'true': ['false'], 'false': ['true'],
    'memory_order_acquire': ['memory_order_relaxed'], 'memory_order_release': ['memory_order_relaxed'],
    'memory_order_acq_rel': ['memory_order_relaxed'],
}
KINDS = {'<': 'relation', '=': 'relation', '>': 'relation', '!': 'relation', '+': 'sign', '-': 'sign',
         '&': 'and-or', '|': 'and-or', 't': 'truth', 'f': 'truth', 'm': 'order'}
TYPES = re.compile(r'(static|const|struct|enum|union|void|bool|char|int|unsigned|size_t|u?int\d+_t|uintptr_t|napi_\w+) ')


class Token:
    def __init__(self, match):
        self.kind, self.text = match.lastgroup, match.group()
        self.start, self.end = match.span()


def closing(tokens, i):
    """The index of the bracket that closes the one at i."""
    depth = 0
    while True:
        depth += (tokens[i].text in ('(', '{', '[')) - (tokens[i].text in (')', '}', ']'))
        if depth == 0:
            return i
        i += 1


def spans(text):
    """(start, end, new text, kind) of all faults."""
    tokens = [token for token in map(Token, TOKEN.finditer(text)) if token.kind != 'space']
    conditions = set()  # closing brackets of if, for and while: a statement may begin after one
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.text == '(') - (token.text == ')')
        before, after = (tokens[i - 1].text if i else ''), (tokens[i + 1].text if i + 1 < len(tokens) else '')
        if token.text == '_Static_assert':
            tokens[i + 1:closing(tokens, i + 1) + 1] = []
            continue
        for new in OTHERS.get(token.text, []):
            yield token.start, token.end, new, KINDS[token.text[0]]
        if token.text in '+-' and (before in ')]' or tokens[i - 1].kind in ('name', 'number')) and before != 'return':
            yield token.start, token.end, '-' if token.text == '+' else '+', 'sign'
        if token.kind == 'number':
            digits, rest = re.fullmatch(r'(0[xX][0-9a-fA-F]+|\d+)(\w*)', token.text).groups()
            for new in (int(digits, 0) + 1, int(digits, 0) - 1):
                if new >= 0:
                    yield token.start, token.end, f'{new}{rest}', 'off-by-one'
        if token.text == '!':
            yield token.start, token.end, '', 'condition'
        if token.text in ('if', 'while', 'for') and after == '(':
            end = closing(tokens, i + 1)
            conditions.add(end)
            if token.text != 'for':
                yield tokens[i + 1].end, tokens[end].start, f'!({text[tokens[i + 1].end:tokens[end].start]})', 'condition'
        begins = depth == 0 and (before in ('{', '}', ';', 'else') or i - 1 in conditions)
        if begins and (token.kind == 'name' or token.text == '*') and token.text not in ('if', 'while', 'for', 'do', 'else'):
            end = i
            while end < len(tokens) and tokens[end].text not in (';', '{', '}'):
                end = closing(tokens, end) + 1 if tokens[end].text == '(' else end + 1
            statement = text[token.start:tokens[end].end] if end < len(tokens) else ''
            # A return is only dropped if a condition guards it: then another one follows.
            if statement.endswith(';') and not TYPES.match(statement) and (
                    token.text != 'return' or i - 1 in conditions):
                yield token.start, tokens[end].end, ';', 'statement'
        if token.text == '.' and before in ('{', ',') and tokens[i + 2].text == '=':
            end = i
            while tokens[end].text not in (',', '}'):
                end = closing(tokens, end) + 1 if tokens[end].text in '({' else end + 1
            yield token.start, tokens[end].start + (tokens[end].text == ','), '', 'field'


def function_at(text, start):
    """The name of the function, or of the other definition, that contains this place."""
    plain = re.sub(r'__attribute__\(\(.*?\)\)\s*', '', text[:start + 1])
    heads = re.findall(r'^(?=[A-Za-z_])[^;\n]*?(\w+)(?:\(| =|;| \{)', plain, re.M)
    return heads[-1] if heads else '-'


def flat(text):
    return ' '.join(text.split())


def mutants(root):
    for path in sorted(pathlib.Path(root).glob('src/core/*.c')):
        text = path.read_text()
        for start, end, new, kind in spans(text):
            first, last = text.rfind('\n', 0, start) + 1, text.find('\n', end)
            yield {'file': str(path.relative_to(root)), 'line': text.count('\n', 0, start) + 1, 'kind': kind,
                   'span': (start, end, new), 'function': function_at(text, start),
                   'old': flat(text[first:last]), 'new': flat(text[first:start] + new + text[end:last])}


def key(mutant):
    return mutant['file'], mutant['function'], mutant['old'], mutant['new']


def equivalents(root):
    for block in (pathlib.Path(root) / 'test/equivalent-mutants.txt').read_text().split('\n\n'):
        lines = block.strip('\n').split('\n')
        if lines[0].startswith('#') or not lines[0]:
            continue
        path, function = lines[0].split(' ')
        old, new = (flat(next(line for line in lines if line.startswith(sign))[2:]) for sign in '-+')
        if not any(line.startswith('= ') for line in lines):
            sys.exit(f'mutants.py: needed: a reason\n  found: none for {path} {function}: {old}\n  do: give it in a line "= ..."')
        yield path, function, old, new


def main(mode, root, *rest):
    every = list(mutants(root))
    marked = set(equivalents(root))
    if mode == 'list':
        for number in random.Random(int(rest[0])).sample(range(len(every)), len(every)):
            mutant = every[number]
            print(number, mutant['file'], mutant['line'], mutant['kind'], int(key(mutant) in marked), mutant['old'],
                  mutant['new'], sep='\t')
    if mode == 'apply':
        mutant = every[int(rest[1])]
        start, end, new = mutant['span']
        text = (pathlib.Path(root) / mutant['file']).read_text()
        (pathlib.Path(rest[0]) / mutant['file']).write_text(text[:start] + new + text[end:])
    if mode == 'check':
        for path, function, old, new in sorted(marked - set(map(key, every))):
            print(f'mutants.py: needed: a mutant of {path}, in {function}\n  found: none any more that makes "{new}" of "{old}"\n'
                  '  do: bring test/equivalent-mutants.txt up to date', file=sys.stderr)
        sys.exit(not marked <= set(map(key, every)))


signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader may stop early
main(*sys.argv[1:])
