// Runs a program (the arguments) as a child with this process's input and output, and ends as the
// child ends.
'use strict';
const [program, ...args] = process.argv.slice(2);
const child = require('child_process').spawnSync(program, args, { stdio: 'inherit' });
process.exitCode = child.signal ? 128 + require('os').constants.signals[child.signal] : child.status;
