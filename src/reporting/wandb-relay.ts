// Takes the place of the network for W&B's SDK. Its requests know no proxy, have no time limit, and ask again by waiting
// for the same failed promise; here they become requests of this program's own, which are tried again as those are.
import http from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { messageOf } from '../errors.js';
import type { WandbServer } from './wandb-server.js';

/** The server's address as the SDK is to be told it; it is no real one. */
export const relayUrl = 'http://wandb.invalid';

/**
 * From now on all plain HTTP of this thread's `node:http` (which undici is not) goes to `server`, path by path, as POST.
 * What fails for good is answered with 400, after which the SDK gives up, and told to `onFailure`.
 */
export function relaySdk(server: WandbServer, onFailure: (error: unknown) => void): void {
  const relay = http.createServer((request, response) => {
    void forward(request).then((reply) => {
      response.writeHead(reply.status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(reply.body ?? {}));
    });
  });

  async function forward(request: http.IncomingMessage): Promise<{ status: number; body: unknown }> {
    try {
      const pieces: Buffer[] = await request.toArray();
      return { status: 200, body: await server.post(request.url ?? '/', JSON.parse(Buffer.concat(pieces).toString())) };
    } catch (error) {
      onFailure(error);
      return { status: 400, body: { error: messageOf(error) } };
    }
  }

  http.globalAgent = new (class extends http.Agent {
    override createConnection(): Duplex {
      const [ours, theirs] = duplexPair();
      relay.emit('connection', theirs);
      return ours;
    }
  })();
}
