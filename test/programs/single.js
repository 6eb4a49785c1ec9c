// single.bats: what goes into a single executable application. An abort under 4 threads, each of which goes on calling.
// Bun packs the addon, which it finds by this name. Node's applications find it beside themselves.
'use strict';
const addon = typeof Bun === 'object' ? require('./lifetime.node') : require('module').createRequire(process.execPath)('./lifetime.node');
const tsfn = addon.create({ count: 5 });
addon.start(tsfn, 'mix', 4, 100);
addon.waitAccepted(tsfn, 4);
addon.abort(tsfn);
setTimeout(() => {
  addon.tell();
  process.exit(0);
}, 400);
