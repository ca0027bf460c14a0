// What scenes out of doors share.

import { blob, box, type Dice, fade, mix } from './brush.js';

/** A sky from the top of the picture down to `height`: clear, overcast or at dusk. */
export function sky(dice: Dice, width: number, height: number): string {
  const weather = dice.pick('clear', 'clear', 'overcast', 'dusk');
  const [top, bottom] = {
    clear: [dice.colour(210, 70, 50), dice.colour(200, 60, 80)],
    overcast: [dice.colour(212, 12, 60), dice.colour(212, 10, 80)],
    dusk: [dice.colour(245, 35, 45), dice.colour(22, 80, 70)],
  }[weather] as [string, string];
  const cloud = () => {
    const [x, y, size] = [dice.between(0, width), dice.between(0, height * 0.7), dice.between(12, 40)];
    return (
      blob(x, y, size, size * 0.3, 'white', 0.6) +
      blob(x + size * 0.5, y - size * 0.1, size * 0.6, size * 0.25, 'white', 0.6)
    );
  };
  const sun = dice.chance(0.4)
    ? blob(dice.between(0, width), dice.between(0.1, 0.8) * height, 11, 11, 'lemonchiffon', 0.95)
    : '';
  return fade('sky', top, bottom) + box(0, 0, width, height + 1, 'url(#sky)') + sun + dice.repeat(0, 5, cloud);
}

/** Short level strokes over a surface, closer together towards the horizon. */
export function ripples(dice: Dice, width: number, top: number, bottom: number, colour: string): string {
  return dice.repeat(18, 34, () => {
    const depth = dice.between(0, 1) ** 1.6;
    const [x, y, length] = [dice.between(-10, width), mix(top + 2, bottom, depth), mix(6, 34, depth)];
    return blob(x, y, length, mix(0.5, 1.6, depth), colour, 0.45);
  });
}
