// node-web-audio-api: the thread that renders sound tells JavaScript of each sound that has ended.
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

// The sum of what 64 sounds of the height 1 make, and how many of them are told to have ended.
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
