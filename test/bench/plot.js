// Draws the ratios of a bench run as an SVG: node plot.js RESULTS.json >FILE.svg
'use strict';
const fs = require('fs');

const outcome = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const COLOURS = { guarded: '#1f5fbf', diagnose: '#8a8f98', locked: '#d1752b', typed: '#a33b3b' };
const NAMES = {
  guarded: 'guarded',
  diagnose: 'guarded, mode=diagnose',
  locked: 'mutex and shared_ptr around every use',
  typed: 'TypedThreadSafeFunction with that lock',
};
// The rows of the picture. The mark applies to `guarded`.
const ROWS = [
  ['flood-1-0-c/producer', 'Producer CPU a call, 1 thread', 0.8],
  ['flood-1-0-c/loop', 'Loop CPU an item, C no-op', 1.1],
  ['flood-1-0-js/loop', 'Loop CPU an item, JavaScript', 1.06],
  ['flood-1-0-c/both', 'Producer + loop CPU, C no-op', 1],
  ['flood-1-0-js/wall', 'End to end, 1 thread, JavaScript', 1.05],
  ['flood-8-0-c/wall', 'End to end, 8 threads, C no-op', 1.05],
  ['flood-8-0-js/wall', 'End to end, 8 threads, JavaScript', 1.05],
  ['burst-c/producer', 'Producer CPU a call, loop waiting', null],
  ['burst-c/loop', 'Loop CPU an item, producer gone', null],
  ['cycle/loop', 'create + release + finalize', 1.25],
  ['pair/cpu', 'acquire + release', null],
  ['latency/p50', 'Latency at 1,000/s, median', null],
  ['latency/p99', 'Latency at 1,000/s, p99', 1.05],
  ['real-lightningcss/cpu', 'lightningcss with a resolver, CPU', null],
  ['real-watcher/cpu', '@parcel/watcher, a storm, CPU', null],
  ['real-lmdb/cpu', 'lmdb, batches of writes, CPU', null],
  ['real-edr/cpu', 'an async function of napi-rs, CPU', null],
].map(([id, title, mark]) => ({ title, mark, figure: outcome.figures.find((one) => one.id === id) }))
  .filter(({ figure }) => figure);

const LEFT = 250;
const WIDTH = 900;
const TOP = 84;
const STEP = 36;
const RIGHT = 20;
const MOST = 2.5;
const height = TOP + ROWS.length * STEP + 60;
const x = (ratio) => LEFT + (Math.min(ratio, MOST) / MOST) * (WIDTH - LEFT - RIGHT);
const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const text = (at, y, words, more = '') => `<text x="${at}" y="${y}" ${more}>${escape(words)}</text>`;
const line = (from, to, y, other, more) => `<line x1="${from}" y1="${y}" x2="${to}" y2="${other}" ${more}/>`;

function row({ title, mark, figure }, place) {
  const middle = TOP + place * STEP + STEP / 2;
  const variants = Object.keys(COLOURS).filter((name) => name in figure.ratios);
  const parts = [text(LEFT - 12, middle + 4, title, 'text-anchor="end"')];
  if (place % 2 === 0)
    parts.unshift(`<rect x="0" y="${middle - STEP / 2}" width="${WIDTH}" height="${STEP}" fill="#f4f5f7"/>`);
  variants.forEach((name, i) => {
    const { median, interval } = figure.ratios[name];
    const y = middle + (i - (variants.length - 1) / 2) * 7;
    parts.push(line(x(interval[0]), x(interval[1]), y, y, `stroke="${COLOURS[name]}" stroke-width="2"`));
    parts.push(median > MOST
      ? text(x(MOST) - 2, y + 4, `${median.toFixed(1)} \u2192`, `text-anchor="end" fill="${COLOURS[name]}" font-size="10"`)
      : `<circle cx="${x(median).toFixed(1)}" cy="${y}" r="3.5" fill="${COLOURS[name]}"/>`);
  });
  if (mark !== null)
    parts.push(line(x(mark), x(mark), middle - 15, middle + 15, 'stroke="#1a7f37" stroke-width="2"'));
  return parts.join('\n');
}

const { machine } = outcome;
const bottom = TOP + ROWS.length * STEP;
const ticks = [0, 0.5, 1, 1.5, 2, 2.5].map((ratio) =>
  [line(x(ratio), x(ratio), TOP, bottom, `stroke="${ratio === 1 ? '#333' : '#ccc'}"`),
    text(x(ratio), TOP - 6, ratio.toString(), 'text-anchor="middle"')].join('\n'));
const legend = Object.entries(NAMES).map(([name, words], i) =>
  `<circle cx="${20 + i * 215}" cy="46" r="4" fill="${COLOURS[name]}"/>${text(28 + i * 215, 50, words)}`);

console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#222">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${text(16, 24, 'Ratio to no guard at all: less is faster', 'font-size="16" font-weight="bold"')}
${ROWS.map(row).join('\n')}
${ticks.join('\n')}
${legend.join('\n')}
${text(16, bottom + 22, `Dot: median of ${outcome.rounds} rounds; bar: its 95% interval; green line: the mark for guarded. Bars past ${MOST} are cut.`)}
${text(16, bottom + 40, `${machine.cpu}; ${machine.system}; Node ${machine.node}; ${machine.date}; load ${machine.load}`)}
</svg>`);
