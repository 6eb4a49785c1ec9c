// aws-crt: an HTTP client in C. Its event loops call JavaScript for each step of a request.
'use strict';
const nodeHttp = require('http');
const { http, io } = require('aws-crt');
const cases = require('./cases');

process.removeAllListeners('warning'); // it warns that Node 18 and 20 are old
const serve = () => new Promise((resolve) => {
  const server = nodeHttp.createServer((request, response) => response.end(request.url + 'y'.repeat(20000)));
  server.listen(0, '127.0.0.1', () => resolve(server));
});
const connectTo = (server) => new http.HttpClientConnectionManager(new io.ClientBootstrap(), '127.0.0.1',
  server.address().port, 8, 1 << 20, new io.SocketOptions(io.SocketType.STREAM, io.SocketDomain.IPV4));

async function get(manager, path) {
  const connection = await manager.acquire();
  const answer = { status: 0, bytes: 0 };
  await new Promise((resolve, reject) => {
    const stream = connection.request(new http.HttpRequest('GET', path, new http.HttpHeaders([['host', 'localhost']])));
    stream.on('response', (status) => (answer.status = status));
    stream.on('data', (data) => (answer.bytes += data.byteLength));
    stream.on('end', resolve);
    stream.on('error', reject);
    stream.activate();
  });
  manager.release(connection);
  return answer;
}

async function work() {
  const server = await serve();
  const manager = connectTo(server);
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => get(manager, `/${i}`)));
  manager.close();
  server.close();
  server.closeAllConnections();
  const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0);
  return { answers: answers.filter(({ status }) => status === 200).length, bytes };
}

async function busy(dir, swing) {
  const manager = connectTo(await serve());
  let answers = 0;
  const ask = async () => {
    for (;;) {
      await get(manager, '/');
      if (++answers === 20) swing();
    }
  };
  for (let i = 0; i < 8; i++) ask();
}

cases({ work, busy });
