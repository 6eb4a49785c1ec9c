// What one guarded function answers and delivers, written from docs/contract.md: the reference with
// which property.js compares real functions. Everything that its addon would see goes to `events`,
// in the words of test/addons/script.c.
'use strict';

class Reference {
  // options: those of script.c's create. deadlock: the value in TSFN_GUARD_OPTIONS. loopThread:
  // that thread's name. late: whether the addon has that quirk.
  constructor(options, deadlock, loopThread, late) {
    Object.assign(this, { max: 0, drainOps: '', finalizeOps: '', ...options, deadlock, loopThread, late });
    this.state = 'OPEN';
    this.count = options.threads;
    this.credit = 0;
    this.queue = [];
    this.gotClosing = new Set(); // threads
    this.hidesItsEnd = false; // its env has ended, and the addon has the quirk late
    this.forgotten = false; // its finalizer is over, and all counts are back
    this.events = [];
  }

  get full() {
    return this.max !== 0 && this.queue.length >= this.max;
  }

  // Whether a blocking call of this thread would have to wait.
  wouldWait(thread) {
    return this.state === 'OPEN' && this.full && thread !== this.loopThread;
  }

  perform(operation, thread, item) {
    const answer = this.answer(operation, thread, item);
    this.forgotten ||= this.finalized && this.count === 0;
    return answer;
  }

  answer(operation, thread, item) {
    switch (operation) {
      case 'call':
      case 'callBlocking':
        return this.call(thread, item, operation === 'callBlocking');
      case 'acquire':
        if (this.state !== 'OPEN' && !this.hidesItsEnd) return 'closing';
        if (!this.forgotten) this.count++;
        return 'ok';
      case 'release':
      case 'abort':
        return this.release(operation === 'abort');
      case 'getContext':
        return `ok ${this.label}`;
      case 'getContextNullResult':
        return 'invalid_arg';
      default: // ref, unref
        return 'ok';
    }
  }

  call(thread, item, blocking) {
    if (this.state !== 'OPEN') return this.rejectClosing(thread);
    if (this.full && !blocking) return 'queue_full';
    if (this.full && this.deadlock === 'status') return 'would_deadlock';
    this.queue.push(item);
    return 'ok';
  }

  rejectClosing(thread) {
    if (this.hidesItsEnd) return 'ok';
    const before = this.gotClosing.has(thread);
    this.gotClosing.add(thread);
    if (this.count === 0) return before ? 'invalid_arg' : 'closing';
    this.count--;
    this.credit++;
    return 'closing';
  }

  release(abort) {
    if (this.count !== 0) {
      this.count--;
      if (abort && this.state === 'OPEN') this.state = 'CLOSING';
      return 'ok';
    }
    if (this.hidesItsEnd) return 'ok';
    if (this.state === 'OPEN' || this.credit === 0) return 'invalid_arg';
    this.credit--;
    return 'ok';
  }

  record(text) {
    this.events.push(text);
  }

  performAll(where, operations) {
    for (const operation of operations.split(' ').filter(Boolean))
      this.record(`${where} of ${this.label}: ${operation} ${this.perform(operation, this.loopThread, 999)}`);
  }

  // The loop runs until it has nothing more to do. onItem: what the item's callback does.
  settle(onItem) {
    while (this.state === 'OPEN' && this.queue.length !== 0) {
      const item = this.queue.shift();
      this.decide(); // before the callback
      this.record(`item ${item} of ${this.label}`);
      onItem(item);
    }
    this.decide();
    if (this.state === 'CLOSING') this.finalize();
  }

  decide() {
    if (this.state === 'OPEN' && this.queue.length === 0 && this.count === 0) this.state = 'CLOSING';
  }

  // The env's end. `dispatched`: items that the runtime still delivered live before that, although
  // no JavaScript could run any more. The runtime may choose to do this.
  tearDown(dispatched) {
    while (this.state === 'OPEN' && dispatched.has(this.queue[0])) {
      const item = this.queue.shift();
      this.decide();
      this.record(`item ${item} of ${this.label}: ${dispatched.get(item)}`);
    }
    // A function that closes by itself ends in a last turn of the loop, before the env ends.
    this.decide();
    this.hidesItsEnd = this.late && this.state === 'OPEN';
    if (this.state === 'OPEN') this.state = 'CLOSING';
    if (this.state === 'CLOSING') this.finalize();
  }

  finalize() {
    this.state = 'CLOSED';
    if (!this.hidesItsEnd || this.count === 0) this.drainAndFinalize();
    this.finalized = true;
    this.forgotten = this.count === 0;
  }

  drainAndFinalize() {
    while (this.queue.length !== 0) {
      this.record(`drain item ${this.queue.shift()} of ${this.label}`);
      this.performAll('drain', this.drainOps);
    }
    this.record(`finalize ${this.label}`);
    this.performAll('finalizer', this.finalizeOps);
  }
}

module.exports = { Reference };
