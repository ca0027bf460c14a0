// How much may go on at once: requests beyond it are refused instead of piling up in memory.

import { HttpError } from './http-error.js';

export interface RoomLimits {
  /** Requests that are being read, or wait for their answer. */
  requests: number;
  /** Bytes of all their bodies. */
  bytes: number;
}

/** What one request takes. */
export interface Place {
  /** Throws an HttpError where there is no room for so many bytes more. */
  take(bytes: number): void;
  leave(): void;
}

export interface Room {
  /** Requests inside. */
  readonly requests: number;
  /** Throws an HttpError where there is no room for another request. */
  enter(): Place;
}

export function createRoom(limits: RoomLimits): Room {
  let requests = 0;
  let bytes = 0;
  return {
    get requests() {
      return requests;
    },
    enter() {
      if (requests >= limits.requests) throw busy();
      requests += 1;
      let taken = 0;
      return {
        take(more) {
          if (bytes + more > limits.bytes) throw busy();
          bytes += more;
          taken += more;
        },
        leave() {
          requests -= 1;
          bytes -= taken;
        },
      };
    },
  };
}

const busy = () => new HttpError(503, 'There are too many requests at once; try again.', { 'Retry-After': '1' });
