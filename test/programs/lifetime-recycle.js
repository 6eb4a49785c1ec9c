// Creates and releases functions; no handle may come twice, and memory must not grow.
// node lifetime-recycle.js CYCLES
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/lifetime.node`);
const cycles = Number(process.argv[2]);
const ATATIME = 1024;

const turn = () => new Promise(setImmediate);
// The list of handles is the program's own.
const memory = (done) => process.memoryUsage().rss - done * 8;

async function main() {
  let warm;
  for (let done = ATATIME; done <= cycles; done += ATATIME) {
    addon.cycle(ATATIME);
    await turn();
    if (done >= cycles / 4 && warm === undefined) warm = memory(done);
  }
  while (addon.cyclesFinalized() < cycles) await turn();
  const grown = Math.round((memory(cycles) - warm) / 2 ** 20);
  console.log(`cycles=${cycles} repeated=${addon.repeatedHandles()} memory=${grown < 32 ? 'flat' : `+${grown} MiB`}`);
}

main();
