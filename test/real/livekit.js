// @livekit/rtc-node: audio, whose frames are taken by a separate thread. Its library uses one
// callback for everything.
'use strict';
// An AudioSource frees its buffer before it stops its own thread, which moves the samples in it
// every 10 ms (docs/real-addons.md). So no source may end here, and the handles do not end with the
// env.
require('@livekit/rtc-ffi-bindings').FfiHandle = class {
  constructor(handle) {
    this.handle = handle;
  }

  dispose() {}
};
const { AudioFrame, AudioSource, dispose } = require('@livekit/rtc-node');
const cases = require('./cases');

const frame = () => new AudioFrame(new Int16Array(480), 48000, 1, 480);

async function work() {
  const source = new AudioSource(48000, 1, 20);
  let frames = 0;
  for (; frames < 20; frames++) await source.captureFrame(frame());
  await source.close();
  await dispose();
  return { frames };
}

async function busy(dir, swing) {
  let frames = 0;
  const capture = async () => {
    const source = new AudioSource(48000, 1, 20);
    for (;;) {
      await source.captureFrame(frame());
      if (++frames === 20) swing();
    }
  };
  for (let i = 0; i < 8; i++) capture();
  setInterval(() => {}, 1000);
}

cases({ work, busy, workers: 1 });
