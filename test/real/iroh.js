// @number0/iroh: QUIC over the loopback. Threads of tokio settle its promises, and report an
// endpoint's paths.
'use strict';
const { Endpoint, RelayMode, presetMinimal } = require('@number0/iroh');
const cases = require('./cases');

const PROTOCOL = Array.from(Buffer.from('tsfn-guard/0'));

async function endpoint() {
  const builder = Endpoint.builder();
  presetMinimal(builder);
  builder.alpns([PROTOCOL]);
  builder.relayMode(RelayMode.disabled());
  return builder.bind();
}

// Makes a connection between two endpoints. Returns both ends and a function that closes them.
async function connect() {
  const [server, client] = await Promise.all([endpoint(), endpoint()]);
  const accepted = server.acceptNext().then(async (incoming) => (await incoming.accept()).connect());
  const connection = await client.connect(server.addr(), PROTOCOL);
  return { here: connection, there: await accepted, close: () => Promise.all([server.close(), client.close()]) };
}

async function work() {
  const { here, there, close } = await connect();
  let sum = 0;
  for (let i = 0; i < 100; i++) {
    here.sendDatagram(Array.from(Buffer.from(String(i))));
    sum += Number(Buffer.from(await there.readDatagram()).toString());
  }
  await close();
  return { sum };
}

const kept = []; // an endpoint closes its connections when it is garbage-collected
async function busy(dir, swing) {
  const { here, there, close } = await connect();
  kept.push(close);
  let turns = 0;
  const pass = async (from, to) => {
    for (;;) {
      const bytes = await from.readDatagram();
      to.sendDatagram(bytes);
      if (++turns === 50) swing();
    }
  };
  pass(here, here);
  pass(there, there);
  for (let i = 0; i < 16; i++) here.sendDatagram([1, 2, 3]);
}

cases({ work, busy });
