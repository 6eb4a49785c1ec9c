// Creates and releases functions. No handle may occur twice, memory must not grow, and no
// descriptor may stay open.
// node lifetime-recycle.js CYCLES
'use strict';
const fs = require('fs');
const addon = require(`${process.env.TEST_ADDONS}/lifetime.node`);
const cycles = Number(process.argv[2]);
const ATATIME = 1024;

const turn = () => new Promise(setImmediate);
// Without the list of handles, which belongs to this program.
const memory = (done) => process.memoryUsage().rss - done * 8;
const descriptors = () => fs.readdirSync('/proc/self/fd').length;

async function main() {
  let warm, before;
  for (let done = 0; done < cycles; ) {
    const some = Math.min(ATATIME, cycles - done);
    addon.cycle(some);
    done += some;
    await turn();
    if (done < cycles / 4 || warm !== undefined) continue;
    warm = memory(done);
    before = descriptors();
  }
  while (addon.cyclesFinalized() < cycles) await turn();
  const grown = Math.round((memory(cycles) - warm) / 2 ** 20);
  const growth = grown < 32 ? 'flat' : `+${grown} MiB`;
  const opened = descriptors() - before;
  console.log(`cycles=${cycles} repeated=${addon.repeatedHandles()} memory=${growth} opened=${opened}`);
}

main();
