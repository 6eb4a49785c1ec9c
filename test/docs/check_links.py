#!/usr/bin/env python3
"""Checks the links of all Markdown files: check_links.py [ROOT].

Each of these faults prints a line, and the status is then 1:

 - a relative link, or image, to a file or an anchor that does not exist;
 - a malformed address (nothing is fetched);
 - a page of docs that cannot be reached by links from README.md.
"""
import pathlib
import re
import sys
import urllib.parse

NOT_OURS = {'build', 'node_modules', '.git'}
LINK = re.compile(r'!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]*)>?(?:\s+"[^"]*")?\s*\)')
DEFINITION = re.compile(r'^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?\s*$')
CODE = re.compile(r'(`+)(?:(?!\1).)+\1')


def prose(path):
    """(line number, line) of each line that is not in a code block."""
    fence = None
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        mark = re.match(r' {0,3}(```+|~~~+)', line)
        if fence:
            if mark and line.strip().startswith(fence):
                fence = None
        elif mark:
            fence = mark[1]
        else:
            yield number, line


def slug(heading):
    """The anchor that GitHub makes from the text of a heading."""
    text = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', heading).replace('`', '').strip()
    text = re.sub(r'(?<!\w)[*_]+(\S.*?)[*_]+(?!\w)', r'\1', text)
    return re.sub(r'[^\w\- ]', '', text.lower()).replace(' ', '-')


def anchors(path):
    found, seen = set(), {}
    for _, line in prose(path):
        found.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
        heading = re.match(r' {0,3}#{1,6}\s+(.*?)\s*#*\s*$', line)
        if not heading:
            continue
        name = slug(heading[1])
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.add(f'{name}-{count}' if count else name)
    return found


def links(path):
    """(line number, target) of each link."""
    for number, line in prose(path):
        line = CODE.sub('code', line)
        for match in LINK.finditer(line):
            yield number, match[1]
        definition = DEFINITION.match(line)
        if definition:
            yield number, definition[1]


def fault_of(root, page, target):
    """(what is wrong with a link or None, the page that it leads to or None)."""
    address = urllib.parse.urlsplit(target)
    if address.scheme:
        well = address.scheme == 'https' and re.fullmatch(r'[a-z0-9-]+(\.[a-z0-9-]+)+', address.netloc)
        return (None if well else 'needed an address https://HOST/…'), None
    file = (page.parent / urllib.parse.unquote(address.path)).resolve() if address.path else page
    if root not in [file, *file.parents] or not file.exists():
        return 'there is no such file', None
    if address.fragment and file.suffix == '.md' and address.fragment not in anchors(file):
        return 'there is no such heading; there are: ' + ', '.join(sorted(anchors(file))), file
    return None, file


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    pages = sorted(path for path in root.rglob('*.md') if not NOT_OURS & set(path.relative_to(root).parts))
    leads_to, checked, failed = {}, 0, 0

    def complain(text):
        nonlocal failed
        failed += 1
        print(text)

    for page in pages:
        leads_to[page] = set()
        for number, target in links(page):
            checked += 1
            fault, file = fault_of(root, page, target)
            leads_to[page].add(file)
            if fault:
                complain(f'{page.relative_to(root)}:{number}: {target}: {fault}')

    reached, ways = set(), [root / 'README.md']
    while ways:
        page = ways.pop()
        if page in leads_to and page not in reached:
            reached.add(page)
            ways.extend(leads_to[page])
    for page in pages:
        if root / 'docs' in page.parents and page not in reached:
            complain(f'{page.relative_to(root)}: no links lead here from README.md')
    if checked == 0:
        complain(f'needed: links in the Markdown files of {root}; found: none')
    print(f'{checked} links in {len(pages)} pages, {failed} findings', file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
