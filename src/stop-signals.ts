/**
 * What Slurm, PBS, shells, terminals and people send to stop a program. The last two are for who asks a scheduler for them
 * by name.
 */
export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU'] as const;
