#!/usr/bin/env bash
# Runs one quick round of the bench, and checks that it prints every figure: smoke.sh NODE LIBRARY
# ADDONS. The figures themselves are not judged.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
timeout 550 "$1" "$here/bench.js" "$2" "$3" --quick --rounds 1 --json "$files/json" | tee "$files/table"
timeout 10 "$1" "$here/plot.js" "$files/json" >"$files/svg"
timeout 10 "$1" - "$files" <<'END'
'use strict';
const assert = require('assert');
const fs = require('fs');
const [files] = process.argv.slice(2);
const outcome = JSON.parse(fs.readFileSync(`${files}/json`, 'utf8'));
const table = fs.readFileSync(`${files}/table`, 'utf8');
const svg = fs.readFileSync(`${files}/svg`, 'utf8');
assert.equal(outcome.marks.length, 22);
assert(outcome.figures.length >= 47, `${outcome.figures.length} figures`);
for (const { id, title, figure, values, ratios } of outcome.figures) {
  assert(table.includes(`${title}: ${figure}`), `${id} is not in the table`);
  assert(values.native.median > 0, `${id} is 0`);
  assert(values.guarded.median > 0, `${id} is 0`);
  assert(Number.isFinite(ratios.guarded.median), `${id} has no ratio`);
}
for (const { title } of outcome.marks) assert(table.includes(title), title);
assert(svg.includes('</svg>') && !svg.includes('NaN') && !svg.includes('undefined'));
END
