// One addon is loaded before the guard, and creates its function before or after that. Another
// addon is loaded after the guard.
// node register-early.js first|then   (run where tsfn-guard can be required)
'use strict';
const early = require(`${process.env.TEST_ADDONS}/early.node`);
if (process.argv[2] === 'first') early.create();
const guard = require(require.resolve('tsfn-guard/register', { paths: [process.cwd()] }));
if (process.argv[2] === 'then') early.create();
console.log(early.use());
const bindings = require(`${process.env.TEST_ADDONS}/bindings.node`);
console.log(bindings.describe('load'));
console.log(`guarded functions: ${guard.stats().created}`);
require(`${process.env.TEST_ADDONS}/issue55706.node`).start(32);
setTimeout(() => console.log(`guarded functions: ${guard.stats().created}`), 100);
