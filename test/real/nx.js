// nx: commands in pseudo-terminals. Threads of the addon pass their output to JavaScript.
'use strict';
const nx = require('@nx/nx-linux-x64-gnu');
const cases = require('./cases');

const run = (command) => new nx.RustPseudoTerminal().runCommand(command, null, null, null, true, false, null);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function work() {
  const shell = run('seq 1001 3000');
  let text = '';
  shell.onOutput((message, isHeader) => (text += isHeader ? '' : message));
  const ending = await new Promise((resolve) => shell.onExit(resolve));
  while (!text.includes('3000\r')) await sleep(10);
  shell.cleanup();
  const numbers = text.match(/\d{4}/g).map(Number);
  return { ending, count: numbers.length, sum: numbers.reduce((a, b) => a + b) };
}

const shells = [];
async function busy(dir, swing) {
  let messages = 0;
  for (let i = 0; i < 2; i++) {
    // The shell must outlive the case, because nx writes to stdout if a shell ends before its env.
    // It ends with its terminal.
    const shell = run('timeout 60 sh -c "while echo 0123456789; do sleep 0.002; done"');
    shell.onOutput(() => ++messages === 10 && swing());
    shell.onExit(() => {});
    shells.push(shell);
  }
  setInterval(() => {}, 1000);
}

cases({ work, busy });
