/**
 * What tsfn-guard/register exports. Loading it arms the guard in this process, unless the guard is
 * armed already.
 */

export interface Stats {
  /** The guard's own version. */
  version: string;
  /**
   * Whether the seven functions are redirected. The fields after `mode` exist only if register.node
   * was loaded.
   */
  armed: boolean;
  mode: 'protect' | 'diagnose' | 'off';
  /** "node 20.20.2"; null: not known yet. */
  runtime?: string | null;
  /** Thread-safe functions that addons asked for. */
  created?: number;
  /**
   * Reports that the log did not accept: it is full or has no reader, or standard error has become
   * another file.
   */
  not_logged?: number;
  /** Items that wait in the queues. */
  queued?: number;
  /**
   * The functions that still exist. leaked: finalized, but threads still hold counts; in_use:
   * locked at that moment, so the state is unknown.
   */
  functions?: { open: number; closing: number; closed: number; leaked: number; in_use: number };
  /** How often each kind of event was seen, reported or not, by code: { TSG001: 3 }. */
  events?: Record<string, number>;
}

export interface Event {
  /** 1 for the first of the process. */
  sequence: number;
  time: Date;
  /** "TSG001". */
  code: string;
  /** "call-after-finalize". */
  kind: string;
  severity: 'fatal-avoided' | 'hang-avoided' | 'warn' | 'leak' | 'info';
  explanation: string;
  /** The thread's id in the kernel. */
  thread: number;
  /** The handle as the addon passed it, in hexadecimal. */
  func: string | null;
  /** The status that the addon got as answer, by its name in Node-API. */
  answered: string | null;
  /** The end of the path of the file that is at fault. */
  addon: string | null;
  /** The address of the calling code, in hexadecimal. */
  caller: string | null;
  /** The handle's number, as in reports. */
  number: number;
  /** The name that the addon gave its function. */
  name: string | null;
  /** The env's number, as in reports. */
  env: number | null;
  /** What it counts depends on the kind. */
  quantity: number | null;
}

/** The current state of the guard, for the whole process. */
export function stats(): Stats;

/** The last events that were reported, at most 64 for the whole process, the oldest first. */
export function events(): Event[];

/**
 * The path of libtsfnguard.so, for LD_PRELOAD in the environment of other programs; null where the
 * guard does nothing.
 */
export const library: string | null;
