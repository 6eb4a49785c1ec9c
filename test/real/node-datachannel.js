// node-datachannel: two peers in one thread talk over the loopback. Threads of libdatachannel
// report everything to JavaScript.
'use strict';
const cases = require('./cases');

// The addon is loaded only when it is used, because it keeps the constructors of its classes in
// static variables. So they belong to the first thread that loads it, and in another thread Node
// aborts ("Cannot create a handle without a HandleScope"). For the same reason there is only one
// worker.
const addon = () => require('node-datachannel');

// The addon ends the process if a callback throws. In 2 of 83 runs a candidate was refused ("Got a
// remote candidate without ICE transport"; without the guard, Node 26).
function addCandidate(peer, candidate) {
  try {
    peer.addRemoteCandidate(...candidate);
  } catch (error) {
    console.error(error.message);
  }
}

// Passes the description and the candidates of `from` to `to`. Each callback has its own TSFN, so a
// candidate may arrive before the description. It would be refused then, so it waits.
function introduce(from, to) {
  const early = [];
  let isKnown = false;
  from.onLocalDescription((sdp, type) => {
    to.setRemoteDescription(sdp, type);
    isKnown = true;
    for (const candidate of early.splice(0)) addCandidate(to, candidate);
  });
  from.onLocalCandidate((...candidate) => {
    if (isKnown) addCandidate(to, candidate);
    else early.push(candidate);
  });
}

// Makes two peers that know each other. onMessage gets a text that has arrived at b, and b's
// channel. opened gets the channel of a. Returns a function that closes them.
function connectOnce(onMessage, opened) {
  const [a, b] = ['a', 'b'].map((name) => new (addon().PeerConnection)(name, { iceServers: [], bindAddress: '127.0.0.1' }));
  introduce(a, b);
  introduce(b, a);
  const kept = [a, b];
  b.onDataChannel((channel) => {
    kept.push(channel);
    channel.onMessage((text) => onMessage(text, channel));
  });
  const channel = a.createDataChannel('talk');
  channel.onOpen(() => opened(channel));
  return () => {
    channel.close();
    for (const peer of [a, b]) peer.close();
    return kept;
  };
}

// Connects two peers, again and again until a channel is open. When a candidate was refused, one
// run of the tests (without the guard) waited for ever.
function connect(onMessage, opened) {
  let stop;
  const attempt = () => {
    stop = connectOnce(onMessage, (channel) => {
      clearInterval(timer);
      opened(channel);
    });
  };
  const timer = setInterval(() => {
    stop();
    attempt();
  }, 10000);
  attempt();
  return () => stop();
}

const work = () => new Promise((resolve) => {
  let count = 0, sum = 0;
  const stop = connect((text) => {
    sum += Number(text);
    if (++count < 500) return;
    stop();
    resolve({ count, sum });
    setTimeout(addon().cleanup, 100);
  }, (channel) => {
    for (let i = 0; i < 500; i++) channel.sendMessage(String(i));
  });
});

// Each message is answered at once, so two dozen are always on their way.
const kept = [];
function busy(dir, swing) {
  let count = 0;
  kept.push(connect((text, channel) => {
    channel.sendMessage(text);
    if (++count === 200) swing();
  }, (channel) => {
    kept.push(channel);
    channel.onMessage((text) => channel.sendMessage(text));
    for (let i = 0; i < 24; i++) channel.sendMessage('x'.repeat(100));
  }));
}

cases({ work, busy, workers: 1, rounds: 1 });
