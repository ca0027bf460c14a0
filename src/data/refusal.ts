/** Thrown for an image file where the reason is known: its message is that of an UnreadableImageError. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
