// Counts are given back while an env ends (test/addons/let_go.c). Then the env ends.
// node let-go.js main|worker PLACE…
'use strict';
const path = require('path');
const { Worker, isMainThread, workerData } = require('worker_threads');
const addon = require(path.join(process.env.TEST_ADDONS, 'let_go.node'));
const [where, ...places] = isMainThread ? process.argv.slice(2) : workerData;

if (isMainThread && where === 'worker') new Worker(__filename, { workerData: [where, ...places] });
else places.forEach(addon.create);
