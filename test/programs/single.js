// For single.bats: the code of a single executable application. A function is aborted under 4
// threads, which go on calling. Bun packs the addon, which it finds by this name. Applications of
// Node find it in their own directory.
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
