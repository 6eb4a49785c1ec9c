// The parts of Electron that scripts/try-electron.sh needs, made with node, for electron.bats. A
// renderer is a separate process, in which each page runs in a worker. A reload ends the worker, as
// Electron ends the environment of a page.
// node -r fake-electron.js ARGS…              runs as Node
// node -r fake-electron.js DIRECTORY/main.js  an application; with FAKE_CRASH=N its renderer dies
//                                             at the Nth load
'use strict';
const { EventEmitter } = require('events');
const Module = require('module');
const path = require('path');
const { fork } = require('child_process');
const { Worker, isMainThread, parentPort } = require('worker_threads');

Object.defineProperty(process.versions, 'electron', { value: '40.1.0', enumerable: true });

// --- In the renderer's main thread, which runs one page after the other.
function render(page) {
  let worker;
  let loads = 0;
  const load = () => {
    if (++loads === Number(process.env.FAKE_CRASH)) process.kill(process.pid, 'SIGSEGV');
    worker = new Worker(page, { execArgv: ['-r', __filename] });
    worker.on('message', (message) => process.send(message));
  };
  process.on('message', async () => {
    await worker.terminate();
    load();
  });
  load();
}

class WebContents extends EventEmitter {
  start(page) {
    this.renderer = fork(__filename, [page], { env: { ...process.env, FAKE_RENDERER: '1' }, execArgv: [] });
    this.renderer.on('message', ([channel, words]) => {
      this.emit('ipc-message', {}, channel, words);
      this.emit('did-finish-load');
    });
    this.renderer.on('exit', (exitCode, signal) =>
      this.emit('render-process-gone', {}, { reason: signal ? 'crashed' : 'abnormal-exit', exitCode: signal || exitCode }),
    );
  }
  reload() {
    this.renderer.send('reload');
  }
}

class BrowserWindow {
  webContents = new WebContents();
  loadFile() {
    this.webContents.start(path.join(path.dirname(process.argv[1]), 'page.js'));
  }
}

const app = Object.assign(new EventEmitter(), {
  disableHardwareAcceleration() {},
  whenReady: async () => {},
  exit: (status) => process.exit(status),
});
const ipcRenderer = { send: (...message) => parentPort.postMessage(message) };

const load = Module._load;
Module._load = function (name, ...rest) {
  return name === 'electron' ? { app, BrowserWindow, ipcRenderer } : load.call(this, name, ...rest);
};

if (isMainThread && process.env.FAKE_RENDERER) {
  delete process.env.FAKE_RENDERER;
  render(process.argv[2]);
}
