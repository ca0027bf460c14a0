// All scenarios of the suite, with the number of their cases.

import { controlCases } from './scenarios/controls.js';
import { damagedCheckpoints } from './scenarios/damage.js';
import { fullDisks } from './scenarios/full-disk.js';
import { killsInSaves } from './scenarios/kills-in-saves.js';
import { lostOutputs } from './scenarios/lost-outputs.js';
import { randomKills } from './scenarios/random-kills.js';
import { sameNames } from './scenarios/same-name.js';
import { stopSignals } from './scenarios/signals.js';
import { soak } from './scenarios/soak.js';
import { Suite, type SuiteSettings } from './suite.js';

type Scenario = readonly [run: (suite: Suite, count: number) => Promise<void>, count: number];

/** Only when it is asked for by name: it takes as long as all others together. */
const soakName = 'soak';

const scenarios: Readonly<Record<string, Scenario>> = {
  controls: [controlCases, 100],
  kills: [randomKills, 100],
  saves: [killsInSaves, 20],
  signals: [stopSignals, 20],
  damage: [damagedCheckpoints, 20],
  disks: [fullDisks, 20],
  names: [sameNames, 1],
  outputs: [lostOutputs, 1],
  soak: [soak, 1],
};

export const scenarioNames: readonly string[] = Object.keys(scenarios);

export interface SuiteChoice extends SuiteSettings {
  /** Names of scenarios; all but the soak unless told. */
  only?: readonly string[] | undefined;
  /** Cases of each, fewer than usual. */
  count?: number | undefined;
}

export async function runSuite({ only, count, ...settings }: SuiteChoice) {
  const suite = await Suite.open(settings);
  settings.print(`seed ${settings.seed}`);
  for (const [name, [run, usual]] of Object.entries(scenarios)) {
    if (only ? only.includes(name) : name !== soakName) await run(suite, count ?? usual);
  }
  await suite.close();
  const { passed, failed, skipped } = suite;
  return { passed, failed, skipped };
}
