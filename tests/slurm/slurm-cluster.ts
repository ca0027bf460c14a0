// A Slurm of our own on this machine, apart from any that is there: its own munged, slurmctld and slurmd, in a folder and
// on ports of their own, started as root and ended by their process numbers.

import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SlurmCluster {
  /** The environment in which this Slurm is found. */
  env: NodeJS.ProcessEnv;
  /** Runs one of Slurm's programs and returns what it printed. */
  call(program: string, ...args: string[]): string;
  /** The states of a job's parts as squeue tells them; empty when it has ended. */
  states(id: string): string[];
  /** Waits until the job has ended, or `until` is true. */
  wait(id: string, until?: () => boolean, limitSeconds?: number): Promise<void>;
  /** Ends all daemons and jobs. */
  stop(): Promise<void>;
}

/** Why there can be no Slurm here; undefined where there can. */
export function lackOfSlurm(): string | undefined {
  if (process.getuid?.() !== 0) return 'Slurm has to be started as root';
  const missing = ['munged', 'slurmctld', 'slurmd', 'sbatch'].find((name) => pathOf(name) === undefined);
  return missing === undefined ? undefined : `there is no ${missing}: tests/slurm/install.sh installs it`;
}

function pathOf(name: string): string | undefined {
  const path = `${process.env['PATH']}:/usr/sbin:/sbin`;
  const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8', env: { PATH: path } });
  return status === 0 ? stdout.trim() : undefined;
}

export async function startSlurm(): Promise<SlurmCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-slurm-'));
  // Slurm's programs look into it as whoever calls them.
  chmodSync(folder, 0o755);
  for (const name of ['state', 'spool']) mkdirSync(join(folder, name));
  const host = hostname().split('.')[0] ?? 'localhost';
  const [controllerPort, nodePort] = await freePorts();
  const socket = join(folder, 'munge.socket');
  writeFileSync(join(folder, 'munge.key'), randomBytes(64), { mode: 0o400 });
  const conf = join(folder, 'slurm.conf');
  // cred_expire and the intervals: a job that was requeued starts again within seconds, not minutes. config_overrides: the
  // node may have less than it says.
  writeFileSync(
    conf,
    `ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controllerPort}
SlurmdPort=${nodePort}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=${socket},cred_expire=15
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=bf_interval=2,sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=120
MpiDefault=none
JobRequeue=1
NodeName=${host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=${host} Default=YES MaxTime=INFINITE State=UP
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
`,
  );
  const env = { ...process.env, SLURM_CONF: conf };
  const start = (name: string, ...args: string[]) =>
    execFileSync(pathOf(name) ?? name, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const call = start;

  const stop = async () => {
    // Orphans outlive their jobs with this proctrack plugin, so that jobs are ended first.
    spawnSync('scancel', ['--state=RUNNING'], { env });
    spawnSync('scancel', ['--state=PENDING'], { env });
    for (let i = 0; i < 1500 && spawnSync('squeue', ['-h'], { env, encoding: 'utf8' }).stdout; i++) await sleep(100);
    for (const name of ['slurmd', 'slurmctld', 'munged']) await endByPidFile(join(folder, `${name}.pid`));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  const file = (name: string) => join(folder, name);
  try {
    // --force: the folder for temporary files is everybody's.
    start(
      'munged',
      '--force',
      `--key-file=${file('munge.key')}`,
      `--socket=${socket}`,
      `--pid-file=${file('munged.pid')}`,
      `--log-file=${file('munged.log')}`,
      `--seed-file=${file('munged.seed')}`,
    );
    start('slurmctld');
    start('slurmd', '-N', host);
    for (let i = 0; ; i++) {
      const answer = spawnSync('sinfo', ['-h', '-o', '%t'], { env, encoding: 'utf8' });
      if (answer.stdout.trim() === 'idle') break;
      if (i === 1500) {
        const logs = ['slurmctld.log', 'slurmd.log'].map((name) => readFileSync(file(name), 'utf8').slice(-2000));
        throw new Error(`Slurm did not start: ${answer.stdout}${answer.stderr}\n${logs.join('\n')}`);
      }
      await sleep(200);
    }
  } catch (error) {
    await stop();
    throw error;
  }

  const states = (id: string) => {
    // squeue fails for jobs that it has forgotten.
    const { stdout } = spawnSync('squeue', ['-h', '-r', '-j', id, '-o', '%T'], { env, encoding: 'utf8' });
    return stdout.split('\n').filter((line) => line !== '');
  };
  const wait = async (id: string, until = () => false, limitSeconds = 1200) => {
    const endMs = performance.now() + limitSeconds * 1000;
    while (states(id).length > 0 && !until()) {
      if (performance.now() > endMs) throw new Error(`job ${id} is still ${states(id).join(', ')}`);
      await sleep(300);
    }
  };
  return { env, call, states, wait, stop };
}

/** Two on which nobody listens, below those that the kernel gives to whoever asks for any. */
async function freePorts(): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < 2) {
    const port = 15_000 + Math.floor(15_000 * Math.random());
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    server.close();
    if (isFree) ports.add(port);
  }
  return [...ports];
}

async function endByPidFile(path: string): Promise<void> {
  let pid: number;
  try {
    pid = Number(readFileSync(path, 'utf8'));
  } catch {
    return;
  }
  if (!(pid > 1)) return;
  for (const [signal, tries] of [
    ['SIGTERM', 600],
    ['SIGKILL', 20],
  ] as const) {
    try {
      process.kill(pid, signal);
      for (let i = 0; i < tries; i++) {
        await sleep(100);
        process.kill(pid, 0);
      }
    } catch {
      return;
    }
  }
}
