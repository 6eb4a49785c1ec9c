// What exit=fast asks JavaScript in the main thread (preload/fast_exit.c). The value of this script is a text: what stands
// in the way; or a function, which answers the process's status once nothing of the natural end's 'exit' event is left to
// run, and undefined before; or undefined: it is too early in the process's life.
(() => {
  'use strict';
  const { performance, process } = globalThis;
  if (!Array.isArray(process?.execArgv) || performance === undefined) return undefined;

  // Node writes these while it ends, after the last JavaScript; --inspect waits for the debugger then.
  const writers = new RegExp('^--(' + [
    'cpu-prof', 'heap-prof', 'prof(=|$)', 'perf-prof', 'll-prof', 'log(-|$)', 'logfile', 'trace-event', 'runtime-call-stats',
    'rcs', 'dump-counters', 'turbo-stats', 'wasm-code-coverage', 'build-snapshot', 'inspect',
  ].join('|') + ')');
  const { NODE_V8_COVERAGE, NODE_OPTIONS = '' } = process.env;
  const options = [...process.execArgv, ...NODE_OPTIONS.split(/[\s"]+/)];
  const writer = options.find((option) => writers.test(option.replaceAll('_', '-')));
  if (NODE_V8_COVERAGE) return 'NODE_V8_COVERAGE';
  if (writer !== undefined) return writer;

  const { nodeTiming } = performance;
  const { _tickCallback: runTicks } = process;
  if (typeof nodeTiming?.loopExit !== 'number') return 'another global performance than Node.js has';
  if (typeof runTicks !== 'function') return 'no process._tickCallback';

  // The loop's exit has a time from just before that event. An unhandled rejection of its listeners is dealt with after
  // them; if it is fatal, this does not return.
  return () => {
    if (nodeTiming.loopExit === -1) return undefined;
    runTicks.call(process);
    return process.exitCode | 0;
  };
})()
