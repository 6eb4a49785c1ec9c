// Whether this process' memory stays flat while a long run goes on.
'use strict';
const fs = require('fs');
const v8 = require('v8');
const vm = require('vm');

// What is collected later is no leak. On a busy machine, where V8's own threads starve, its heap grows by 60 MB.
v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc');

// The anonymous part, in MB, less V8's heap: that of files and of the program comes and goes with the page cache.
function resident() {
  collect();
  const anonymous = Number(/RssAnon:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  return (anonymous - v8.getHeapStatistics().total_physical_size) / 1e6;
}

// Samples that; the first third is for warming up. stop() says whether the median of the last sixth is
// within 10 % and 16 MB of that of the sixth after the warming up, and tells the figures on stderr.
exports.watch = (seconds) => {
  const samples = [];
  const timer = setInterval(() => samples.push(resident()), seconds * 1000 / 120);
  const median = (from, to) => samples.slice(from, to).sort((a, b) => a - b)[Math.floor((to - from) / 2)];
  return function stop() {
    clearInterval(timer);
    const n = samples.length;
    const before = median(Math.floor(n / 3), Math.floor(n / 2));
    const after = median(Math.floor(n * 5 / 6), n);
    console.error(`memory: ${before.toFixed(1)} MB, at the end ${after.toFixed(1)} MB, most ${Math.max(...samples).toFixed(1)} MB`);
    return after <= before * 1.1 + 16 ? 'memory flat' : 'memory grew';
  };
};
