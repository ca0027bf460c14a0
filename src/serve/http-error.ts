/** A request that is not served. The message is a sentence for whoever sent it. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  /** Headers that belong to this status. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: HttpError['headers'] = {}, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.headers = headers;
  }
}
