// node-web-audio-api: the thread that renders sound reports to JavaScript that a sound has ended.
// No device is needed.
'use strict';
const { AudioContext, OfflineAudioContext, OscillatorNode, ConstantSourceNode } = require('node-web-audio-api');
const cases = require('./cases');

const sounds = [];
function sound(context, Kind, options, seconds, ended) {
  const node = new Kind(context, options);
  node.connect(context.destination);
  node.onended = ended;
  node.start(context.currentTime);
  node.stop(context.currentTime + seconds);
  sounds.push(node);
}

// Plays 64 constant sounds, each of the value 1. Returns how many of them were reported to have
// ended, and a sample of their sum and of the silence after them.
async function work() {
  const context = new OfflineAudioContext(1, 48000, 48000);
  let ended = 0;
  const all = new Promise((resolve) => {
    for (let i = 0; i < 64; i++)
      sound(context, ConstantSourceNode, {}, 0.5, () => ++ended === 64 && resolve());
  });
  const samples = (await context.startRendering()).getChannelData(0);
  await all;
  return { ended, height: samples[100], silence: samples[40000] };
}

function busy(dir, swing) {
  const context = new AudioContext({ sinkId: { type: 'none' } });
  sounds.push(context);
  let ended = 0;
  const next = () => {
    sound(context, OscillatorNode, { frequency: 440 }, 0.005, next);
    if (++ended === 40) swing();
  };
  for (let i = 0; i < 8; i++) next();
}

cases({ work, busy });
