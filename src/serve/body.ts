// The image in a request's body: the body itself, or the one file of a form.

import type { IncomingMessage } from 'node:http';
import { HttpError } from './http-error.js';
import type { Place } from './room.js';

const wanted = 'an image as the body (Content-Type: image/jpeg, say), or a form with one file (multipart/form-data)';

/** Refuses by its headers what is not worth reading. Throws an HttpError. */
export function checkHeaders({ headers }: IncomingMessage, maxBytes: number): void {
  const type = contentType(headers['content-type']);
  if (!isImageType(type) && type !== 'multipart/form-data') {
    throw new HttpError(415, `Expected ${wanted}, found ${type || 'no Content-Type'}.`);
  }
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new HttpError(415, 'Compressed bodies are not read.', { 'Accept-Encoding': 'identity' });
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

/** Reads a request to its end. Rejects with an HttpError as soon as it is too long. */
export async function readBody(request: IncomingMessage, place: Place, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const parts: Buffer[] = [];
  let length = 0;
  // Not `for await`, which would close the connection before it has been told why.
  await new Promise<void>((resolve, reject) => {
    request.on('data', (part: Buffer) => {
      length += part.length;
      try {
        if (length > maxBytes) throw tooLarge(maxBytes);
        place.take(part.length);
        parts.push(part);
      } catch (error) {
        request.removeAllListeners('data');
        reject(error);
      }
    });
    request.on('end', resolve);
    request.on('error', reject);
    request.on('close', () => reject(new Error('the connection was closed')));
  });
  return Buffer.concat(parts);
}

/** The bytes of the image. Rejects with an HttpError where there is none, or more than one. */
export async function imageIn(body: Buffer<ArrayBuffer>, { headers }: IncomingMessage): Promise<Buffer> {
  const type = headers['content-type'] ?? '';
  const image = contentType(type) === 'multipart/form-data' ? await fileOfForm(body, type) : body;
  if (image.length === 0) throw new HttpError(422, `Expected ${wanted}, found no bytes.`);
  return image;
}

async function fileOfForm(body: Buffer<ArrayBuffer>, type: string): Promise<Buffer> {
  const form = await new Response(body, { headers: { 'content-type': type } }).formData().catch((error: unknown) => {
    throw new HttpError(400, "The form can't be read.", {}, { cause: error });
  });
  const files = [...form.values()].filter((value) => typeof value !== 'string');
  const [file] = files;
  if (file === undefined || files.length > 1) {
    throw new HttpError(422, `Expected ${wanted}, found a form with ${files.length} files.`);
  }
  return Buffer.from(await file.arrayBuffer());
}

const contentType = (header: string | undefined) => (header ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/** What is in a body of mere bytes shows when it is decoded. */
const isImageType = (type: string) => type.startsWith('image/') || type === 'application/octet-stream';

const tooLarge = (maxBytes: number) =>
  new HttpError(413, `The image is too large: at most ${Math.floor(maxBytes / 1e6)} MB are read.`);
