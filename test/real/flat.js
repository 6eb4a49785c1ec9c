// Whether the memory of this process stays flat during a long run.
'use strict';
const fs = require('fs');
const v8 = require('v8');
const vm = require('vm');

// Collects garbage first, because garbage is not a leak. On a busy machine V8's threads starve, and
// then its heap grows by 60 MB.
v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc');

// The anonymous memory in MB, without V8's heap. Memory of files and of the program varies with the
// page cache.
function resident() {
  collect();
  const anonymous = Number(/RssAnon:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  return (anonymous - v8.getHeapStatistics().total_physical_size) / 1e6;
}

// Takes samples of that memory. The first third of the run is for warming up. stop() compares the
// median of the last sixth with the median of the sixth after the warm-up. The difference must be
// within 10 % and 16 MB. The figures are printed on stderr.
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
