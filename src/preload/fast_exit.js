// What exit=fast runs in the main thread (preload/fast_exit.c). The value of this script is
// undefined if it is too early in the life of the process, a text that names what stands in the
// way, or a function. The function returns whether the 'exit' event of the natural end has begun.
// Once it has returned true, later calls return the exit status.
(() => {
  'use strict';
  const { performance, process, Promise } = globalThis;
  if (!Array.isArray(process?.execArgv) || performance === undefined) return undefined;

  // With these options Node writes something after the last JavaScript has run. With --inspect it
  // waits for the debugger then.
  const writers = new RegExp('^--(' + [
    'cpu-prof', 'heap-prof', 'prof', 'perf-prof', 'll-prof', 'log(-.*)?', 'trace-event(s-enabled|-categories)',
    'runtime-call-stats', 'rcs', 'dump-counters', 'turbo-stats', 'build-snapshot', 'inspect(-brk|-wait)?',
  ].join('|') + ')(=|$)');
  const { NODE_V8_COVERAGE, NODE_OPTIONS = '' } = process.env;
  const options = [...process.execArgv, ...NODE_OPTIONS.split(/[\s"]+/)];
  const writer = options.find((option) => writers.test(option.replaceAll('_', '-')));
  if (NODE_V8_COVERAGE) return 'NODE_V8_COVERAGE';
  if (writer !== undefined) return writer;

  const { nodeTiming } = performance;
  if (typeof nodeTiming?.loopExit !== 'number') return 'a global performance that is not of Node.js';
  const { prototype: { then } } = Promise;
  let isLeft = false;

  // A rejection that is handled at once is not visible anywhere, but it makes Node process
  // rejections.
  function dealWithRejections() {
    Reflect.apply(then, Promise.reject(), [undefined, () => {}]);
  }

  // Node sets loopExit just before the 'exit' event.
  return () => {
    if (isLeft) return process.exitCode | 0;
    isLeft = nodeTiming.loopExit !== -1;
    if (isLeft) dealWithRejections();
    return isLeft;
  };
})()
