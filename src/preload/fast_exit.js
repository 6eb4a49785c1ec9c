// What exit=fast asks JavaScript in the main thread (preload/fast_exit.c). The value of this script
// is undefined if it is too early in the process's life; or a text: what stands in the way; or a
// function. That one answers whether the natural end's 'exit' event has begun, and once it has
// answered true, the process's status.
(() => {
  'use strict';
  const { performance, process, Promise } = globalThis;
  if (!Array.isArray(process?.execArgv) || performance === undefined) return undefined;

  // Node writes these while it ends, after the last JavaScript; --inspect waits for the debugger
  // then.
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
  if (typeof nodeTiming?.loopExit !== 'number') return 'another global performance than Node.js has';
  const { prototype: { then } } = Promise;
  let isLeft = false;

  // A rejection that is handled at once shows nowhere, but has Node call what deals with
  // rejections.
  function dealWithRejections() {
    Reflect.apply(then, Promise.reject(), [undefined, () => {}]);
  }

  // The loop's exit has a time from just before the 'exit' event.
  return () => {
    if (isLeft) return process.exitCode | 0;
    isLeft = nodeTiming.loopExit !== -1;
    if (isLeft) dealWithRejections();
    return isLeft;
  };
})()
