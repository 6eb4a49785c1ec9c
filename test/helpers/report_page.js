// Opens pages of tsfn-guard report --html in a real Chromium, uses them with real clicks and keys,
// and prints what they show.
// node report_page.js CHROMIUM PAGE…: a page's name is that of its scenario, for example many.html.
// The paths of screenshots begin with the value of TG_SCREENSHOTS, for example /tmp/page.
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { pathToFileURL } = require('url');

const [chromium, ...pages] = process.argv.slice(2);
const prefix = process.env.TG_SCREENSHOTS;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'tg-test-page.'));
const browser = spawn(chromium, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--remote-debugging-pipe', '--hide-scrollbars',
  `--user-data-dir=${profile}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
const [, , , toBrowser, fromBrowser] = browser.stdio;

// --- The DevTools protocol: JSON, each message ended by a NUL.

const waiting = new Map();
const listeners = [];
let number = 0, pending = '', session;

fromBrowser.setEncoding('utf8').on('data', (text) => {
  const messages = (pending + text).split('\0');
  pending = messages.pop();
  for (const message of messages.map((one) => JSON.parse(one))) {
    for (const listener of listeners) if (message.method) listener(message);
    const { resolve, reject } = waiting.get(message.id) ?? {};
    waiting.delete(message.id);
    if (message.error) reject?.(new Error(JSON.stringify(message.error)));
    else resolve?.(message.result);
  }
});

function send(method, params = {}) {
  return new Promise((resolve, reject) => {
    waiting.set(++number, { resolve, reject });
    toBrowser.write(`${JSON.stringify({ id: number, method, params, sessionId: session })}\0`);
  });
}

async function evaluate(expression) {
  const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

// --- What a user does

async function click(expression) {
  const { x, y } = await evaluate(`(() => { const e = ${expression}; e.scrollIntoView({ block: 'center' });
    const r = e.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2 }; })()`);
  for (const type of ['mousePressed', 'mouseReleased']) {
    await send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
  }
}

async function drag(expression, from, to) {
  const { x, y, width } = await evaluate(`(() => { const e = ${expression}; e.scrollIntoView({ block: 'center' });
    const r = e.getBoundingClientRect(); return { x: r.x, y: r.y + r.height / 2, width: r.width }; })()`);
  for (const [type, part] of [['mousePressed', from], ['mouseMoved', (from + to) / 2], ['mouseMoved', to], ['mouseReleased', to]]) {
    await send('Input.dispatchMouseEvent', { type, x: x + part * width, y, button: 'left', buttons: 1, clickCount: 1 });
  }
}

async function press(key, code = key, keyCode = 0) {
  for (const type of ['keyDown', 'keyUp']) {
    const text = type === 'keyDown' ? { Enter: '\r', Space: ' ' }[code] : undefined;
    await send('Input.dispatchKeyEvent', { type, key, code, windowsVirtualKeyCode: keyCode, text });
  }
}

const type = (text) => send('Input.insertText', { text });

async function look(width, height, scheme) {
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
}

async function photograph(name, expression = 'document.body') {
  if (!prefix) return;
  await evaluate(`(${expression}).scrollIntoView({ block: 'start' })`);
  const { data } = await send('Page.captureScreenshot', {});
  fs.writeFileSync(`${prefix}-${name}.png`, Buffer.from(data, 'base64'));
}

// --- What the page shows

const text = (id) => evaluate(`document.getElementById('${id}').textContent`);
const rows = () => evaluate(`document.querySelectorAll('#groups tbody tr:not(.detail)').length`);
const lanes = () => evaluate(`document.querySelectorAll('#lanes > .lane').length`);
const marks = (kind) => evaluate(`document.querySelectorAll('#lanes .mark.${kind}').length`);
const say = (what, value) => console.log(`${what}: ${value}`);

const scenarios = {
  async filters() {
    say('title', await evaluate('document.title'));
    say('groups', `${await rows()} rows, ${await text('shown')}`);
    say('functions', `${await lanes()} lanes, ${await text('lanes-shown')}`);
    for (const kind of ['created', 'closing', 'finalized', 'late', 'event']) say(`marks ${kind}`, await marks(kind) > 0);
    await click(`document.querySelector('#severities input[value="fatal-avoided"]')`);
    say('without fatal-avoided', await text('shown'));
    say('late marks then', await marks('late'));
    await click(`document.getElementById('reset')`);
    say('after reset', await text('shown'));
    await click(`document.getElementById('text')`);
    await type('SLOW-final');
    say('text', await text('shown'));
    await click(`document.getElementById('reset')`);
    await evaluate(`document.getElementById('kind').focus()`);
    await press('ArrowDown', 'ArrowDown', 40);
    say('first kind by key', `${await evaluate(`document.getElementById('kind').value`)}, ${await text('shown')}`);
    await click(`document.getElementById('reset')`);
    await evaluate(`document.getElementById('process').focus()`);
    await press('ArrowDown', 'ArrowDown', 40);
    say('first process by key', await text('shown'));
    await click(`document.getElementById('reset')`);
  },

  async details() {
    const opener = `document.querySelector('#groups .opener')`;
    await evaluate(`${opener}.focus()`);
    await press('Enter', 'Enter', 13);
    say('detail', (await evaluate(`[...document.querySelectorAll('#groups .detail dt')].map((e) => e.textContent)`)).join(', '));
    say('expanded', await evaluate(`${opener}.getAttribute('aria-expanded')`));
    say('frames', (await evaluate(`[...document.querySelectorAll('#groups .detail ol.code > li')].map((e) => e.innerText)`)).join(' | '));
    await press('Enter', 'Enter', 13);
    say('closed', await evaluate(`document.querySelectorAll('#groups .detail').length`));
    const sort = `document.querySelectorAll('#groups thead button')[2]`;
    await click(sort);
    await click(sort);
    say('last code first', await evaluate(`document.querySelector('#groups tbody .opener').textContent`));
    await click(`document.querySelector('#lanes .opener')`);
    say('moments', await evaluate(`document.querySelectorAll('#lanes .moments tr').length > 1`));
    const before = await text('axis');
    await drag(`document.getElementById('axis')`, 0.2, 0.6);
    say('dragging zooms', await text('axis') !== before);
    await click(`document.querySelector('[data-zoom="all"]')`);
    say('all again', await text('axis') === before);
    for (let i = 0; i < 60; i++) await evaluate(`document.querySelector('[data-zoom="out"]').click()`);
    say('zoomed out for ever is all', await text('axis') === before);
    await click(`document.querySelector('#lanes .opener')`);
    await click(`[...document.querySelectorAll('#lanes .opener')].at(-1)`);
    await click(opener);
    for (const scheme of ['light', 'dark']) {
      await look(1280, 900, scheme);
      await photograph(`${scheme}-table`);
      await photograph(`${scheme}-timeline`, `document.getElementById('timeline-title').closest('section')`);
      await look(420, 900, scheme);
      await photograph(`${scheme}-narrow`);
      await photograph(`${scheme}-narrow-timeline`, `document.getElementById('timeline-title').closest('section')`);
      say(`${scheme}: wider than the window`, await evaluate('document.documentElement.scrollWidth > innerWidth'));
    }
  },

  // The page of a log whose text tries to inject HTML and scripts into the page.
  async hostile() {
    say('ran', await evaluate('window.ran === undefined ? "nothing" : "something"'));
    say('scripts', await evaluate('document.scripts.length'));
    say('images', await evaluate('document.images.length'));
    await click(`document.querySelector('#groups .opener')`);
    say('addon', await evaluate(`document.querySelector('#groups .detail dd code').textContent`));
    say('images then', await evaluate('document.images.length'));
  },

  // A page with many events: how long it takes to draw it.
  async many() {
    say('groups', await text('shown'));
    say('functions', await text('lanes-shown'));
    say('note', await evaluate(`[...document.querySelectorAll('#notes li')].find((e) => e.textContent.includes('timeline')).textContent`));
    const time = await evaluate(`(() => { const t = performance.now(); document.getElementById('reset').click(); return performance.now() - t; })()`);
    say('drawn again within 2 s', time < 2000);
  },
};

// Waits for the first page: right after the start there may be none yet.
async function firstPage() {
  for (;;) {
    const { targetInfos } = await send('Target.getTargets');
    const page = targetInfos.find((one) => one.type === 'page');
    if (page) return page.targetId;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// The page itself is asked whether it is open, because a load event may still be that of
// about:blank. Between two pages evaluate fails, so it is tried again.
async function open(href) {
  const opened = `location.href.split('#')[0] === ${JSON.stringify(href)} && document.readyState === 'complete'`;
  await send('Page.navigate', { url: href });
  while (!await evaluate(opened).catch(() => false)) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function main() {
  const problems = [], requests = [];
  listeners.push(({ method, params }) => {
    if (method === 'Runtime.exceptionThrown') problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled') problems.push(`console.${params.type}: ${params.args.map((one) => one.value).join(' ')}`);
    if (method === 'Log.entryAdded') problems.push(`${params.entry.level}: ${params.entry.text}`);
    if (method === 'Network.requestWillBeSent') requests.push(params.request.url.slice(0, 100));
  });
  ({ sessionId: session } = await send('Target.attachToTarget', { targetId: await firstPage(), flatten: true }));
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);
  const hrefs = pages.map((page) => pathToFileURL(path.resolve(page)).href);
  for (const href of hrefs) {
    await look(1280, 900, 'light');
    await open(href);
    await scenarios[path.basename(href, '.html')]();
  }
  say('problems', problems.join(' / ') || 'none');
  say('requests but for the pages', requests.filter((url) => !hrefs.includes(url) && !url.startsWith('data:')).join(' ') || 'none');
}

// The browser's child processes may still write into the profile for a moment.
async function removeProfile() {
  for (let left = 50; fs.existsSync(profile); left--) {
    try {
      fs.rmSync(profile, { recursive: true, force: true });
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

main().catch((error) => {
  console.log(error.stack);
  process.exitCode = 1;
}).finally(() => {
  browser.once('exit', removeProfile);
  browser.kill('SIGKILL');
});
