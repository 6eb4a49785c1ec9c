// koffi: the threads of a C library call JavaScript. These are POSIX timers with SIGEV_THREAD: a
// new thread for each tick.
// node koffi.js work|exit|worker
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const koffi = require('koffi');

// If a call is rejected, its thread waits in koffi for ever. When there are too many such threads,
// koffi throws from the next one, and the process dies. 4096 is the maximum, which is enough for
// four seconds of the timer. (On a busy machine the end of an env was seen to take 0.4 s.)
koffi.config({ max_async_calls: 4096 });
const PERIOD = 1000; // microseconds

const libc = koffi.load('libc.so.6');
koffi.proto('void OnTick(int value)');
koffi.struct('sigevent', {
  value: 'int64_t', signo: 'int', notify: 'int', onTick: 'OnTick *', attributes: 'void *', rest: koffi.array('int', 8),
});
koffi.struct('timespec', { sec: 'int64_t', nsec: 'int64_t' });
koffi.struct('itimerspec', { interval: 'timespec', value: 'timespec' });
const create = libc.func('int timer_create(int clock, sigevent *event, _Out_ void **timer)');
const settime = libc.func('int timer_settime(void *timer, int flags, itimerspec *to, void *old)');
const remove = libc.func('int timer_delete(void *timer)');

// Calls onTick once a period, from a new thread. Returns a function that stops it.
function every(microseconds, onTick) {
  const timer = [null];
  const event = { value: 7, signo: 0, notify: 2, onTick: koffi.register(onTick, 'OnTick *'), attributes: null, rest: [] };
  const period = { sec: 0, nsec: microseconds * 1000 };
  if (create(1, event, timer) !== 0) throw new Error('timer_create');
  if (settime(timer[0], 0, { interval: period, value: period }, null) !== 0) throw new Error('timer_settime');
  return () => remove(timer[0]);
}

// Counts ticks, then deletes the timer. One more thread may still be on its way.
function work() {
  let ticks = 0;
  const alive = setInterval(() => {}, 1000);
  const stop = every(PERIOD, (value) => {
    if (value !== 7 || ++ticks !== 200) return;
    stop();
    console.log('200 ticks');
    setTimeout(() => clearInterval(alive), 500);
  });
}

// Waits for twenty ticks. The callback does not keep the loop alive: the JavaScript thread ends
// while the timer goes on.
function tickOn(then) {
  let ticks = 0;
  const alive = setInterval(() => {}, 1000);
  every(PERIOD, () => {
    if (++ticks !== 20) return;
    then('ticking');
    clearInterval(alive);
  });
}

function worker() {
  const thread = new Worker(__filename, { workerData: 'worker' });
  thread.once('message', (line) => thread.terminate().then(() => setTimeout(() => console.log(line), 100)));
}

if (!isMainThread) {
  setInterval(() => {}, 1000);
  tickOn((line) => parentPort.postMessage(line));
} else if (process.argv[2] === 'exit') tickOn(console.log);
else ({ work, worker })[process.argv[2]]();
