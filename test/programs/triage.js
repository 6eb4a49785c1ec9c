// crash KIND [worker]: dies as test/addons/crashes.c says, in the main thread, or in a worker that
// alone has loaded the addon.
'use strict';
const { Worker, isMainThread, workerData } = require('worker_threads');
const [kind, where] = isMainThread ? process.argv.slice(2) : workerData;
if (isMainThread && where === 'worker') new Worker(__filename, { workerData: [kind, where] });
else {
  require(`${process.env.TEST_ADDONS}/crashes.node`).crash(kind);
  process.exit();
}
