// The table that bench.js prints of its results, and the marks that docs/performance.md explains.
'use strict';
const { summarize } = require('./stats.js');

const NAMES = ['guarded', 'diagnose', 'locked', 'typed', 'other'];

const number = (value) => (Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3));
const ratio = ({ median, interval }) => `${median.toFixed(2)} [${interval.map((end) => end.toFixed(2)).join(' ')}]`;

const find = (outcome, id) => outcome.figures.find((figure) => figure.id === id);
const ratioOf = (id, variant = 'guarded') => (outcome) => find(outcome, id)?.ratios[variant];
const differenceOf = (id) => (outcome) => find(outcome, id)?.differences.guarded;

// The ratio of the guarded figures of two measurements, round by round.
const among = (id, other) => (outcome) => {
  const [above, below] = [id, other].map((one) => find(outcome, one)?.values.guarded.values);
  return above && below && summarize(above.map((value, i) => value / below[i]));
};

const MARKS = [
  ['producer CPU per call, 1 thread', 0.8, ratioOf('flood-1-0-c/producer')],
  ['loop thread CPU per item, C no-op callback', 1.1, ratioOf('flood-1-0-c/loop')],
  ['loop thread CPU per item, JavaScript callback', 1.06, ratioOf('flood-1-0-js/loop')],
  ['producer + loop CPU per item, C no-op callback', 1.0, ratioOf('flood-1-0-c/both')],
  ['end to end wall per item, 1 thread, JavaScript callback', 1.05, ratioOf('flood-1-0-js/wall')],
  ['end to end wall per item, 8 contending threads, C no-op', 1.05, ratioOf('flood-8-0-c/wall')],
  ['end to end wall per item, 8 contending threads, JavaScript', 1.05, ratioOf('flood-8-0-js/wall')],
  ['one item at a time, one processor: CPU', 1.03, ratioOf('handover/cpu')],
  ['one item at a time, one processor: sleeps', 1, ratioOf('handover/sleeps')],
  ['get_context', 1.5, ratioOf('context/cpu')],
  ['create + release + finalize, one at a time', 1.05, ratioOf('cycle/loop')],
  ['create + release + finalize, 20,000 at once', 1.08, ratioOf('cycle-20000/loop')],
  ['p99 latency at 1,000/s', 1.05, ratioOf('latency/p99')],
  ['per call, live handles 1 -> 1,000,000', 1.1, among('live-1000000/producer', 'live-1/producer')],
  ['per call, before and after many create/release cycles', 1.1, among('churned/producer', 'live-1/producer')],
  ['mode=diagnose: producer CPU per call, no misuse', 1.15, ratioOf('flood-1-0-c/producer', 'diagnose')],
  ['mode=diagnose: loop thread CPU per item, C no-op callback', 1.15, ratioOf('flood-1-0-c/loop', 'diagnose')],
  ['mode=diagnose: create + release + finalize, one at a time', 1.8, ratioOf('cycle/loop', 'diagnose')],
  ['mode=diagnose: create + release + finalize, 20,000 at once', 1.8, ratioOf('cycle-20000/loop', 'diagnose')],
  ['memory per live handle, the guard’s own (bytes)', 192, differenceOf('memory-handle/bytes')],
  ['start-up of node -e 0, above native (ms)', 1, differenceOf('start-node/wall')],
  ['start-up of true, above native (ms)', 1, differenceOf('start-true/wall')],
];

function judge({ median, interval: [low, high] }, mark) {
  if (high <= mark) return 'met';
  if (low > mark) return 'missed';
  return median <= mark ? 'met, not certain' : 'missed, not certain';
}

function marksOf(outcome) {
  return MARKS.map(([title, mark, get]) => {
    const measured = get(outcome);
    return measured && { title, mark, measured, verdict: judge(measured, mark) };
  }).filter(Boolean);
}

// Each column is as wide as its widest cell. All but the first are aligned to the right.
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd())
    .join('\n');
}

function figuresTable(outcome) {
  const names = NAMES.filter((name) => outcome.figures.some(({ ratios }) => name in ratios));
  const rows = [['figure', 'native', ...names.map((name) => (name === 'guarded' ? 'guarded' : `${name}/native`))]];
  rows[0].splice(3, 0, 'guarded/native');
  for (const { title, figure, unit, values, ratios } of outcome.figures) {
    const others = names.slice(1).map((name) => (ratios[name] ? ratio(ratios[name]) : ''));
    const guarded = values.guarded ? [number(values.guarded.median), ratio(ratios.guarded)] : ['', ''];
    rows.push([`${title}: ${figure}, ${unit}`, number(values.native.median), ...guarded, ...others]);
  }
  return table(rows);
}

function marksTable(marks) {
  const rows = [['mark', 'is', '[interval]', 'wanted', '']];
  for (const { title, mark, measured, verdict } of marks)
    rows.push([title, measured.median.toFixed(2), `[${measured.interval.map((end) => end.toFixed(2)).join(' ')}]`,
      `<= ${mark}`, verdict]);
  return table(rows);
}

function report(outcome) {
  outcome.marks = marksOf(outcome);
  const { machine, rounds, seconds } = outcome;
  const head = [
    `${machine.cpu}; ${machine.system}; Node ${machine.node}; load ${machine.load}; ${machine.date}`,
    `Medians of ${rounds} rounds (${seconds} s). In [ ] the interval of the median` +
      (rounds >= 6 ? ' (95%, distribution-free).' : ': fewer than 6 rounds, so just the range.'),
    'locked: a mutex and a shared_ptr around every use; typed: TypedThreadSafeFunction with that same lock.',
  ];
  if ('other' in (outcome.figures[0]?.ratios ?? {})) head.push('other: the library given with --other.');
  return [head.join('\n'), figuresTable(outcome), marksTable(outcome.marks), ''].join('\n\n');
}

module.exports = { report };
