// The signals with which people, shells and schedulers stop a run, and time limits.

import { waitForMoment } from '../moments.js';
import { command, recipes, requireEqual, requireTidy, requireWhole } from '../place.js';
import { endingText, run, start } from '../program.js';
import { randomRow } from '../random.js';
import { type Case, hasStack, requireCode, type Suite } from '../suite.js';

const recipe = recipes.deterministic;
const resumable = 75;

/** So many SIGTERMs at random moments, a fifth as many of each other signal, second Ctrl-Cs, and chains of short jobs. */
export async function stopSignals(suite: Suite, count: number): Promise<void> {
  await suite.reference(recipe);
  const random = randomRow(suite.seed, 'signals');
  const few = Math.max(1, Math.floor(count / 5));
  const signalCases = (['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGHUP'] as const).flatMap((signal) =>
    Array.from({ length: signal === 'SIGTERM' ? count : few }, (_, index) =>
      signalCase(suite, { name: `${signal} ${index + 1}`, signal, moment: random() }),
    ),
  );
  await suite.runAll('signals at random moments', signalCases);
  const interruptCases = Array.from({ length: few }, (_, index) =>
    secondInterrupt(suite, {
      name: `second SIGINT ${index + 1}`,
      moment: random(),
      pauseMs: Math.round(200 * random()),
    }),
  );
  await suite.runAll('a second Ctrl-C', interruptCases);
  if (count < 5) return;
  await suite.reference(recipes.long);
  await suite.runAll(
    'time limits',
    [2.5, 3, 4, 5].map((share) => jobChain(suite, share)),
  );
}

interface SignalPlan {
  name: string;
  signal: NodeJS.Signals;
  /** A share of an uninterrupted run. */
  moment: number;
}

function signalCase(suite: Suite, { name, signal, moment }: SignalPlan): Case {
  return {
    name,
    run: async (place) => {
      const reference = await suite.reference(recipe);
      const running = start(command(place, recipe));
      const isAlive = await waitForMoment(running, place, moment, reference);
      const waitedMs = Math.round(running.elapsedMs());
      running.child.kill(signal);
      const ending = await running.ended;
      if (hasStack(ending.output)) throw new Error(ending.output);
      const isTraining = /Epoch 1\b|Epoch: 1\b|Stopped by/.test(ending.output);
      const isOver = /LOSS train/.test(ending.output);
      const isSaved = ending.code === resumable && /Stopped by SIG\w+ after step \d+, saved to/.test(ending.output);
      const isAllowed =
        isSaved || (ending.code === 0 && isOver) || (ending.signal === signal && (!isTraining || isOver));
      if (isAlive && !isAllowed) throw new Error(`${endingText(ending)} after ${waitedMs} ms:\n${ending.output}`);
      await requireWhole(place);
      return `after ${waitedMs} ms ${endingText(ending)}, ${await suite.resumeToEnd(place, recipe)}`;
    },
  };
}

/** A second SIGINT ends the run at once, unless it has saved by then; what it saved before can be gone on with. */
function secondInterrupt(
  suite: Suite,
  { name, moment, pauseMs }: { name: string; moment: number; pauseMs: number },
): Case {
  return {
    name,
    run: async (place) => {
      const running = start(command(place, recipe));
      // From the first step on, and not in the last ones.
      await waitForMoment(running, place, 0.2 + moment / 2, await suite.reference(recipe));
      running.child.kill('SIGINT');
      await running.lives(pauseMs);
      running.child.kill('SIGINT');
      const ending = await running.ended;
      const isAllowed =
        ending.signal === 'SIGINT' || ending.code === 130 || ending.code === resumable || ending.code === 0;
      if (!isAllowed || hasStack(ending.output)) throw new Error(`${endingText(ending)}:\n${ending.output}`);
      await requireWhole(place);
      return `${pauseMs} ms after the first ${endingText(ending)}, ${await suite.resumeToEnd(place, recipe)}`;
    },
  };
}

/** A run that gets too little time again and again, as in a row of batch jobs, ends as one that has all the time it needs. */
function jobChain(suite: Suite, share: number): Case {
  return {
    name: `a row of jobs, each with ${share} times what a short run takes`,
    run: async (place) => {
      const { elapsedMs } = await suite.reference(recipe);
      const limitSeconds = Math.round((elapsedMs / 1000) * share);
      const seen: string[] = [];
      for (let job = 1; ; job++) {
        const ending = await run([...command(place, recipes.long), `--time_limit=${limitSeconds}s`]);
        requireCode(ending, 0, resumable);
        const seconds = (ending.elapsedMs / 1000).toFixed(1);
        if (ending.elapsedMs > limitSeconds * 1000) throw new Error(`job ${job} took ${seconds} s`);
        if (ending.code === 0) break;
        const [, step] = /Stopped by the time limit of .* after step (\d+)/.exec(ending.output) ?? [];
        if (step === undefined) throw new Error(ending.output);
        seen.push(`${step} (${seconds} s)`);
        if (job === 100) throw new Error(`no end: ${seen}`);
      }
      if (seen.length === 0) throw new Error(`a limit of ${limitSeconds} s stopped nothing`);
      const { result } = await suite.reference(recipes.long);
      await requireEqual(place, recipes.long, result);
      requireTidy(place);
      return `limit ${limitSeconds} s, stopped at steps ${seen.join(', ')}, then ended, equal`;
    },
  };
}
