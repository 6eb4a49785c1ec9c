// Runs a program (its arguments are ours) as a child, with its input and output being ours, and ends as it ends.
'use strict';
const [program, ...args] = process.argv.slice(2);
const child = require('child_process').spawnSync(program, args, { stdio: 'inherit' });
process.exitCode = child.signal ? 128 + require('os').constants.signals[child.signal] : child.status;
