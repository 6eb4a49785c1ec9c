// impit: an HTTP client in threads of tokio, which settle its promises.
'use strict';
const http = require('http');
const { Impit } = require('impit');
const cases = require('./cases');

const serve = () => new Promise((resolve) => {
  const server = http.createServer((request, response) => response.end(request.url + 'y'.repeat(2000)));
  server.listen(0, '127.0.0.1', () => resolve({ server, url: `http://127.0.0.1:${server.address().port}` }));
});

async function work() {
  const { server, url } = await serve();
  const client = new Impit();
  const get = async (i) => (await client.fetch(`${url}/${i}`)).text();
  const texts = await Promise.all(Array.from({ length: 50 }, (_, i) => get(i)));
  server.close();
  server.closeAllConnections();
  return { answers: texts.length, right: texts.every((text, i) => text === `/${i}${'y'.repeat(2000)}`) };
}

async function busy(dir, swing) {
  const { url } = await serve();
  const client = new Impit();
  let answers = 0;
  const ask = async () => {
    for (;;) {
      await (await client.fetch(url)).text();
      if (++answers === 20) swing();
    }
  };
  for (let i = 0; i < 16; i++) ask();
}

cases({ work, busy });
