// Five of Places365's classes, each a function from chance and a size to a scene.

import { blob, box, type Dice, fade, line, mix, type Point, polygon } from './brush.js';
import { ripples, sky } from './sky-and-water.js';

function beach(dice: Dice, width: number, height: number): string {
  const horizon = height * dice.between(0.3, 0.45);
  const [left, right] = [height * dice.between(0.58, 0.75), height * dice.between(0.58, 0.75)];
  const sand = dice.colour(42, 55, 72);
  const shore = `M-20 ${left} Q${width / 2} ${(left + right) / 2 + dice.between(-22, 22)} ${width + 20} ${right} V${height + 20} H-20 Z`;
  const umbrella = () => {
    const [x, y, size] = [dice.between(0.05, 0.95) * width, height * dice.between(0.76, 0.95), dice.between(12, 24)];
    const cover = `M${x - size} ${y - size} A${size} ${size} 0 0 1 ${x + size} ${y - size} Z`;
    return (
      blob(x + 4, y, size, 3, '#0004') +
      line([x, y], [x, y - size], '#654', 2) +
      `<path d="${cover}" fill="${dice.colour(dice.between(0, 360), 80, 55)}"/>`
    );
  };
  const sail = () => {
    const [x, size] = [dice.between(0, width), dice.between(7, 16)];
    return polygon(
      [
        [x, horizon + 3],
        [x, horizon - size],
        [x + size * 0.6, horizon + 1],
      ],
      'white',
    );
  };
  return [
    sky(dice, width, horizon),
    fade('sea', dice.colour(208, 70, 36), dice.colour(182, 55, 62)),
    box(0, horizon, width, height - horizon, 'url(#sea)'),
    ripples(dice, width, horizon, left, 'white'),
    dice.repeat(0, 3, sail),
    `<path d="${shore}" fill="${sand}" stroke="white" stroke-opacity="0.8" stroke-width="${dice.between(3, 7).toFixed(1)}"/>`,
    dice.repeat(30, 60, () =>
      blob(dice.between(0, width), dice.between(Math.max(left, right) + 6, height), 2, 0.8, '#975', 0.3),
    ),
    dice.repeat(0, 4, umbrella),
  ].join('');
}

function butte(dice: Dice, width: number, height: number): string {
  const ground = height * dice.between(0.66, 0.78);
  const mesa = (scale: number) => {
    const [x, top, half] = [
      dice.between(0.2, 0.8) * width,
      ground - height * dice.between(0.28, 0.48) * scale,
      width * dice.between(0.1, 0.2) * scale,
    ];
    const skirt = mix(top, ground, dice.between(0.45, 0.6));
    const rock = dice.colour(16, 60, 42);
    const stratum = (i: number) =>
      box(x - half, mix(top, skirt, (i + 0.5) / 5), half * 2, 2, dice.colour(14, 50, 30), 'opacity="0.5"');
    return [
      polygon(
        [
          [x - half * 1.1, skirt],
          [x + half * 1.1, skirt],
          [x + half * 2.1, ground + 2],
          [x - half * 2.1, ground + 2],
        ],
        dice.colour(20, 55, 50),
      ),
      polygon(
        [
          [x - half, top],
          [x + half * 0.9, top + dice.between(-3, 4)],
          [x + half * 1.12, skirt + 1],
          [x - half * 1.12, skirt + 1],
        ],
        rock,
      ),
      dice.repeat(3, 5, stratum),
      polygon(
        [
          [x + half * 0.35, top + 2],
          [x + half * 0.9, top + 3],
          [x + half * 1.1, skirt],
          [x + half * 0.5, skirt],
        ],
        '#3114',
      ),
    ].join('');
  };
  const shrub = () => {
    const depth = dice.between(0, 1);
    return blob(
      dice.between(0, width),
      mix(ground + 4, height, depth),
      mix(2, 11, depth),
      mix(1, 6, depth),
      dice.colour(75, 30, 32),
    );
  };
  return [
    sky(dice, width, ground),
    dice.repeat(0, 2, () => mesa(0.5)),
    fade('desert', dice.colour(22, 55, 52), dice.colour(18, 60, 38)),
    box(0, ground, width, height - ground, 'url(#desert)'),
    mesa(1),
    dice.repeat(8, 26, shrub),
  ].join('');
}

function alley(dice: Dice, width: number, height: number): string {
  const [x, y] = [width * dice.between(0.38, 0.62), height * dice.between(0.42, 0.6)];
  const end = dice.between(0.12, 0.24);
  /** A point on a wall: `depth` 0 is at the picture's edge, 1 at the vanishing point. */
  const wall = (edge: number, level: number, depth: number): Point => [
    mix(edge, x, depth),
    mix(level * height, y, depth),
  ];
  const side = (edge: number) => {
    const [base, mortar] = [dice.colour(12, 42, dice.pick(26, 34, 42)), dice.colour(20, 22, 22)];
    const course = (i: number) => line(wall(edge, i / 18, 0), wall(edge, i / 18, 1 - end), mortar, 0.9);
    const opening = () => {
      const [near, level] = [dice.between(0.08, 0.6), dice.between(-0.1, 0.62)];
      const [far, low] = [near + mix(0.14, 0.06, near), level + 0.2];
      const corners = [wall(edge, level, near), wall(edge, level, far), wall(edge, low, far), wall(edge, low, near)];
      return polygon(
        corners,
        dice.pick('#1c222b', '#2c3a4a', '#f3d98b', '#3a2c22'),
        'stroke="#c9b8a0" stroke-width="1.2"',
      );
    };
    const outline = [wall(edge, -0.4, 0), wall(edge, 1.05, 0), wall(edge, 1.05, 1 - end), wall(edge, -0.4, 1 - end)];
    return (
      polygon(outline, base) + Array.from({ length: 26 }, (_, i) => course(i - 6)).join('') + dice.repeat(2, 5, opening)
    );
  };
  const [leftFoot, rightFoot] = [wall(0, 1, 1 - end), wall(width, 1, 1 - end)];
  const stone = dice.colour(30, 8, 44);
  const slab = (i: number) => {
    const depth = 1 - end - (1 - end) * (i / 9) ** 2;
    return line(wall(0, 1, depth), wall(width, 1, depth), '#0006', mix(2.5, 0.6, depth));
  };
  const bin = () => {
    const depth = dice.between(0.15, 0.6);
    const [foot, size] = [wall(width * dice.pick(0.16, 0.84), 0.98, depth), mix(60, 8, depth)];
    return box(foot[0] - size * 0.35, foot[1] - size, size * 0.7, size, dice.colour(dice.pick(120, 210, 30), 35, 30));
  };
  return [
    sky(dice, width, height),
    polygon([[0, height], leftFoot, rightFoot, [width, height]], stone),
    Array.from({ length: 9 }, (_, i) => slab(i)).join(''),
    side(0),
    side(width),
    dice.repeat(0, 2, bin),
    box(0, 0, width, height, dice.pick('#0000', '#0013', '#2104', '#0002')),
  ].join('');
}

function autoFactory(dice: Dice, width: number, height: number): string {
  const [x, y] = [width * dice.between(0.3, 0.7), height * dice.between(0.36, 0.48)];
  const toward = (from: Point, depth: number): Point => [mix(from[0], x, depth), mix(from[1], y, depth)];
  const steel = dice.colour(205, 12, 38);
  const truss = (i: number) => {
    const depth = 1 - 0.75 ** i;
    return line(toward([-width, 0], depth), toward([2 * width, 0], depth), steel, mix(9, 1, depth));
  };
  const lamps = (edge: number) => {
    const lamp = (i: number) => {
      const [near, far] = [toward([edge, 0], 0.1 + i * 0.13), toward([edge, 0], 0.18 + i * 0.13)];
      return line(near, far, '#fffbe6', mix(8, 1.5, i / 6));
    };
    return Array.from({ length: 6 }, (_, i) => lamp(i)).join('');
  };
  const hue = dice.between(0, 360);
  const car = (edge: number, depth: number) => {
    const [at, s] = [toward([edge, height * 1.02], depth), width * 0.2 * (1 - depth)];
    const paint = dice.chance(0.5) ? dice.colour(hue, 75, 45) : dice.colour(210, 8, 68);
    const body = `M${-s} 0 L${-s} ${-s * 0.35} L${-s * 0.6} ${-s * 0.45} L${-s * 0.35} ${-s * 0.85} L${s * 0.4} ${-s * 0.85} L${s * 0.7} ${-s * 0.45} L${s} ${-s * 0.35} L${s} 0 Z`;
    const glass = polygon(
      [
        [-s * 0.45, -s * 0.45],
        [-s * 0.28, -s * 0.75],
        [s * 0.33, -s * 0.75],
        [s * 0.55, -s * 0.45],
      ],
      '#1d2833',
    );
    const wheels = blob(-s * 0.55, 0, s * 0.2, s * 0.2, '#181818') + blob(s * 0.55, 0, s * 0.2, s * 0.2, '#181818');
    return `<g transform="translate(${at[0].toFixed(1)} ${at[1].toFixed(1)})"><path d="${body}" fill="${paint}"/>${glass}${wheels}</g>`;
  };
  const robot = (edge: number, depth: number) => {
    const [[footX, footY], s] = [toward([edge, height], depth), height * 0.34 * (1 - depth)];
    const [elbow, reach] = [dice.between(-0.4, 0.4) * s, dice.between(-0.8, 0.8) * s];
    const [orange, thick] = [dice.colour(28, 90, 52), s * 0.13];
    return (
      line([footX, footY], [footX + elbow, footY - s], orange, thick) +
      line([footX + elbow, footY - s], [footX + elbow + reach, footY - s * 0.6], orange, thick * 0.8)
    );
  };
  const rows = [0.75, 0.6, 0.42, 0.2, -0.02];
  const rowAt = [width * dice.between(-0.05, 0.2), width * dice.between(0.75, 1.05)] as const;
  const rowOf = (edge: number, arm: number) =>
    rows.map((depth) => (dice.chance(0.6) ? robot(edge + arm, depth) : '') + car(edge, depth)).join('');
  return [
    fade('hall', dice.colour(205, 10, 30), dice.colour(205, 10, 62)),
    box(0, 0, width, height, 'url(#hall)'),
    polygon(
      [[-width, height], toward([-width, height], 0.92), toward([2 * width, height], 0.92), [2 * width, height]],
      dice.colour(205, 8, 74),
    ),
    Array.from({ length: 8 }, (_, i) => truss(i)).join(''),
    [0.1, 0.5, 0.9].map((share) => lamps(share * width + dice.between(-15, 15))).join(''),
    line([width * 0.38, height], toward([width * 0.38, height], 0.9), '#e8c21c', 4),
    line([width * 0.62, height], toward([width * 0.62, height], 0.9), '#e8c21c', 4),
    rowOf(rowAt[0], -width * 0.2),
    rowOf(rowAt[1], width * 0.2),
  ].join('');
}

function boathouse(dice: Dice, width: number, height: number): string {
  const shore = height * dice.between(0.55, 0.66);
  const trees = dice.repeat(16, 26, (i) => {
    const size = height * dice.between(0.08, 0.22);
    return blob((i / 20) * width + dice.between(-8, 8), shore - size * 0.5, size * 0.5, size, dice.colour(115, 38, 27));
  });
  const [x, w, wallHeight] = [
    width * dice.between(0.15, 0.5),
    width * dice.between(0.28, 0.42),
    height * dice.between(0.14, 0.2),
  ];
  const [eaves, foot] = [shore - wallHeight, shore + 5];
  const [paint, roof] = [
    dice.colour(dice.pick(2, 2, 25, 210, 45), 55, dice.pick(34, 45, 60)),
    dice.colour(220, 10, 28),
  ];
  const planks = Array.from({ length: 12 }, (_, i) =>
    line([x + (w * i) / 12, eaves], [x + (w * i) / 12, foot], '#0003', 1),
  ).join('');
  const gable: Point[] = [
    [x - 7, eaves + 3],
    [x + w / 2, eaves - height * dice.between(0.1, 0.18)],
    [x + w + 7, eaves + 3],
  ];
  const house = [
    box(x, eaves, w, foot - eaves, paint),
    planks,
    polygon(gable, paint, `stroke="${roof}" stroke-width="6" stroke-linejoin="round"`),
    box(
      x + w * 0.22,
      eaves + wallHeight * 0.25,
      w * 0.56,
      foot - eaves - wallHeight * 0.25,
      '#15130f',
      'stroke="white" stroke-width="2"',
    ),
  ].join('');
  const jettyX = x + w * dice.between(1.02, 1.1);
  const jetty = polygon(
    [
      [jettyX, shore + 2],
      [jettyX + 14, shore + 2],
      [jettyX + dice.between(30, 70), height],
      [jettyX - 5, height],
    ],
    dice.colour(32, 25, 46),
  );
  const boat = () => {
    const [bx, by, s] = [dice.between(0, width), mix(shore + 18, height - 4, dice.between(0, 1)), dice.between(14, 28)];
    return polygon(
      [
        [bx - s, by - s * 0.25],
        [bx + s, by - s * 0.25],
        [bx + s * 0.7, by + s * 0.15],
        [bx - s * 0.7, by + s * 0.15],
      ],
      dice.pick('white', '#a33', '#862', '#258'),
    );
  };
  return [
    sky(dice, width, shore + 4),
    `<clipPath id="dry">${box(0, 0, width, shore + 5, 'black')}</clipPath>`,
    `<g id="land" clip-path="url(#dry)">${trees}${house}</g>`,
    fade('lake', dice.colour(190, 35, 40), dice.colour(205, 45, 24)),
    box(0, shore + 4, width, height - shore, 'url(#lake)'),
    `<use href="#land" transform="matrix(1 0 0 -1 0 ${2 * shore + 8})" opacity="0.4"/>`,
    ripples(dice, width, shore + 4, height, '#cde'),
    jetty,
    dice.repeat(0, 2.4, boat),
  ].join('');
}

/** Each draws the inside of an SVG element of the given size in pixels. */
export const scenes = { alley, auto_factory: autoFactory, beach, boathouse, butte };
